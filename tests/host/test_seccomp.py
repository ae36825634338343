"""The filter, run by a small BPF machine, for both architectures."""

import errno
import socket
import struct

import pytest

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host.sandbox import seccomp
from nitro_workflow.host.supervisor.filter_code import parent_filter
from nitro_workflow.host.supervisor.syscall_numbers import numbers

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000
ENOSYS, EPERM = 0x50000 | errno.ENOSYS, 0x50000 | errno.EPERM
EAFNOSUPPORT, EPROTONOSUPPORT = 0x50000 | errno.EAFNOSUPPORT, 0x50000 | errno.EPROTONOSUPPORT
ENOPROTOOPT, NOTIFY = 0x50000 | errno.ENOPROTOOPT, 0x7FC00000


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
    return seccomp.build_filter(machine=machine)


@pytest.fixture
def supervised(machine):
    return seccomp.build_filter(machine=machine, supervised=True)


def test_the_families_of_a_sandbox(machine, enclave):
    families = {int(family) for family in seccomp.FAMILIES}
    for name in ("socket", "socketpair"):
        call = numbers(machine)[name]
        answers = {family: run(enclave, machine, call, family) for family in range(64)}
        assert {family for family in answers if answers[family] == ALLOW} == families
        assert {answers[family] for family in answers.keys() - families} == {EAFNOSUPPORT}
        # The kernel takes an int: what stands above 32 bits must not make another family of it.
        assert run(enclave, machine, call, (1 << 32) | socket.AF_VSOCK) == EAFNOSUPPORT


def test_the_kernels_own_vsock_is_never_reached(machine, enclave, supervised):
    call, pair = numbers(machine)["socket"], numbers(machine)["socketpair"]
    for family in (socket.AF_VSOCK, (1 << 32) | socket.AF_VSOCK):
        assert run(enclave, machine, call, family) == EAFNOSUPPORT
        assert run(supervised, machine, call, family) == NOTIFY
        assert run(supervised, machine, pair, family) == EAFNOSUPPORT
        assert run(parent_filter(machine), machine, call, family) == NOTIFY


def test_what_a_supervisor_answers(machine, supervised):
    calls = numbers(machine)
    for name in ("accept", "accept4", "getsockname", "getpeername"):
        assert run(supervised, machine, calls[name], 3, 4, 5) == NOTIFY
    for name in ("bind", "connect"):
        assert run(supervised, machine, calls[name], 3, 0, 16) == NOTIFY
        assert run(supervised, machine, calls[name], 3, 0, 15) == ALLOW  # no sockaddr_vm
    for request in (0x7B9, 0xC0200A00, (7 << 32) | 0xC0200A00):
        assert run(supervised, machine, calls["ioctl"], 3, request) == NOTIFY
    assert run(supervised, machine, calls["ioctl"], 3, 0x5401) == ALLOW
    assert run(supervised, machine, calls["ioctl"], 3, 0x5412) == EPERM
    assert run(supervised, machine, calls["setsockopt"], 3, socket.AF_VSOCK, 0) == NOTIFY
    assert run(supervised, machine, calls["getsockopt"], 3, socket.SOL_SOCKET, 39) == NOTIFY
    assert run(supervised, machine, calls["getsockopt"], 3, socket.SOL_SOCKET, 3) == ALLOW


@pytest.mark.parametrize("call", ["setsockopt", "getsockopt"])
@pytest.mark.parametrize("option", [76, 77, 83])  # PASSPIDFD, PEERPIDFD, PASSRIGHTS
def test_options_that_reach_through_a_socket(machine, supervised, call, option):
    number = numbers(machine)[call]
    assert run(supervised, machine, number, 3, socket.SOL_SOCKET, option) == ENOPROTOOPT


@pytest.mark.parametrize("call", ["setsockopt", "getsockopt"])
@pytest.mark.parametrize(
    ("level", "option", "answer"),
    [(0, 64, False), (0, 65, False), (0, 96, False), (0, 128, False), (41, 64, False), (41, 65, False),
     (0, 2, True), (0, 51, True), (41, 26, True), (41, 66, True), (6, 1, True)],
)  # fmt: skip
def test_no_packet_filter_behind_an_option(
    machine, enclave, supervised, call, level, option, answer
):
    """A capability for loopback must not open the kernel's tables of rules."""
    for program in (enclave, supervised):
        answered = run(program, machine, numbers(machine)[call], 3, level, option)
        assert answered == (ALLOW if answer else ENOPROTOOPT)


def test_of_netlink_only_routes(machine, enclave, supervised):
    for program in (enclave, supervised):
        for protocol in range(32):
            answer = run(program, machine, numbers(machine)["socket"], 16, 3, protocol)
            assert answer == (ALLOW if protocol == 0 else EPROTONOSUPPORT)


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
