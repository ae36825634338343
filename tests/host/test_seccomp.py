"""The filter, run by a small BPF machine, for both architectures."""

import errno
import socket
import struct

import pytest

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host.sandbox import seccomp
from nitro_workflow.host.sandbox.syscalls import numbers

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000
ENOSYS, EPERM = 0x50000 | errno.ENOSYS, 0x50000 | errno.EPERM
EAFNOSUPPORT = 0x50000 | errno.EAFNOSUPPORT


def run(program, machine, number, *arguments):
    """Interpret the filter for one call."""
    values = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, ARCHITECTURES[machine], 0, *values)
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        operation, then, otherwise, value = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return value
        else:
            holds = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[operation]
            at += then if holds else otherwise


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request):
    return request.param


@pytest.fixture
def enclave(machine):
    return seccomp.build_filter(seccomp.ENCLAVE_FAMILIES, machine)


def test_only_unix_sockets_in_an_enclave(machine, enclave):
    for name in ("socket", "socketpair"):
        call = numbers(machine)[name]
        answers = {family: run(enclave, machine, call, family) for family in range(64)}
        assert answers.pop(int(socket.AF_UNIX)) == ALLOW
        assert set(answers.values()) == {EAFNOSUPPORT}
        # The kernel takes an int: what stands above 32 bits must not make another family of it.
        assert run(enclave, machine, call, (1 << 32) | socket.AF_VSOCK) == EAFNOSUPPORT


def test_an_instance_has_a_network_but_no_vsock(machine):
    program = seccomp.build_filter(seccomp.INSTANCE_FAMILIES, machine)
    call = numbers(machine)["socket"]
    allowed = [family for family in range(64) if run(program, machine, call, family) == ALLOW]
    assert allowed == sorted(seccomp.INSTANCE_FAMILIES)
    assert int(socket.AF_VSOCK) not in allowed


def test_clone_makes_threads_but_no_namespaces(machine, enclave):
    call = numbers(machine)["clone"]
    thread, fork = 0x3D0F00, 0x01200011
    assert {run(enclave, machine, call, flags) for flags in (thread, fork)} == {ALLOW}
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert run(enclave, machine, call, fork | flag) == EPERM


def test_typing_into_a_terminal(machine, enclave):
    call = numbers(machine)["ioctl"]
    assert run(enclave, machine, call, 0, 0x5412) == EPERM
    assert run(enclave, machine, call, 0, 0xC0200A00) == ALLOW


# Linux's numbers of what must not be there, x86_64 and aarch64.
FORBIDDEN = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97),
    "setns": (308, 268), "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
    "userfaultfd": (323, 282), "open_by_handle_at": (304, 265), "clone3": (435, 435),
    "pidfd_getfd": (438, 438), "kcmp": (312, 272), "open_tree": (428, 428), "reboot": (169, 142),
    "swapon": (167, 224), "settimeofday": (170, 170), "process_madvise": (440, 440),
}  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_not_there(machine, enclave, name):
    number = FORBIDDEN[name][sorted(ARCHITECTURES, reverse=True).index(machine)]
    assert run(enclave, machine, number) == ENOSYS


def test_what_programs_need_is_there(machine, enclave):
    needed = "read write openat close mmap brk futex execve exit_group wait4 epoll_pwait getrandom"
    for name in needed.split():
        assert run(enclave, machine, numbers(machine)[name]) == ALLOW


def test_another_architecture_is_killed_and_x32_is_not_there(enclave, machine):
    other = next(it for it in ARCHITECTURES if it != machine)
    assert run(enclave, other, 0) == KILL
    if machine == "x86_64":
        assert run(enclave, machine, 0x40000000 | numbers(machine)["read"]) == ENOSYS
    assert run(enclave, machine, 2**31) == ENOSYS


def test_a_machine_without_a_table():
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        seccomp.build_filter((1,), "riscv64")


def test_the_program_is_short_enough(enclave):
    assert len(enclave) // 8 < 4096  # BPF_MAXINSNS
