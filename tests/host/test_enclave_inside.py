"""What an enclave can and cannot do: looked at from inside, tried from inside."""

import errno
import hashlib
import socket

import pytest

from nitro_workflow.attestation import parse_document
from nitro_workflow.host import LaunchRequest
from nitro_workflow.image import measure_file
from tests.host.conftest import INSTANCE
from tests.host.fake_hypervisor import ROLE

pytestmark = pytest.mark.sandbox


def test_the_families_that_a_program_has(ask):
    code = """
import socket
result = {}
for family in range(64):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind).close()
            result[str(family)] = "made"
        except OSError as error:
            result.setdefault(str(family), error.errno)
"""
    answers = ask(code)
    families = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK")
    there = {str(int(getattr(socket, name))) for name in families}
    assert {family for family, answer in answers.items() if answer == "made"} == there
    assert {answer for answer in answers.values() if answer != "made"} == {97}  # EAFNOSUPPORT


def test_of_netlink_only_addresses_and_links(ask):
    code = """
import socket
result = []
for protocol in range(32):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).close()
        result.append(protocol)
    except OSError:
        pass
"""
    assert ask(code) == [0]


def test_its_network_is_loopback_alone(ask):
    lines = ask("result = open('/proc/net/dev').read().splitlines()[2:]")
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]
    assert ask("result = open('/proc/net/route').read().splitlines()[1:]") == []


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "169.254.169.254", "2001:db8::1"])
def test_nothing_leads_out(ask, address):
    code = f"""
import socket
family = socket.AF_INET6 if ":" in {address!r} else socket.AF_INET
result = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(family, kind) as sock:
        result.append(sock.connect_ex(({address!r}, 443)))
"""
    assert set(ask(code)) == {errno.ENETUNREACH}


def test_loopback_outside_is_another_one(ask):
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        code = f"""
import socket
with socket.socket() as sock:
    result = sock.connect_ex((b"127.0.0.1", {port}))
"""
        assert ask(code) == errno.ECONNREFUSED


def test_loopback_carries_tcp_and_udp(ask):
    code = """
import socket
result = []
with socket.socket() as server, socket.socket() as ours:
    server.bind((b"127.0.0.1", 80))  # a port of root's; as bytes it is looked up nowhere
    server.listen()
    ours.connect((b"127.0.0.1", 80))
    with server.accept()[0] as theirs:
        ours.sendall(b"tcp")
        result.append(theirs.recv(3).decode())
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
    one.bind((b"::1", 0))
    other.sendto(b"udp", (b"::1", one.getsockname()[1]))
    result.append(one.recv(3).decode())
"""
    assert ask(code) == ["tcp", "udp"]


def test_its_root_is_the_image_and_nothing_else(ask):
    names = ask("import os; result = sorted(os.listdir('/'))")
    assert set(names) <= {
        "app.py",
        "usr",
        "lib",
        "lib64",
        "root",
        "dev",
        "proc",
        "run",
        "sys",
        "tmp",
        "var",
    }
    assert ask("import os; result = os.listdir('/run')") == []
    devices = {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "nsm",
        "vsock",
        "shm",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    }
    assert set(ask("import os; result = os.listdir('/dev')")) == devices
    assert (
        ask("import os; result = [p for p in ('/cmd', '/env', '/rootfs') if os.path.exists(p)]")
        == []
    )


def test_it_sees_its_own_processes_only(ask):
    pids = ask("import os; result = [int(p) for p in os.listdir('/proc') if p.isdigit()]")
    assert 1 in pids
    assert len(pids) == 2


def test_only_the_privileges_for_its_own_loopback_are_left(ask):
    status = dict(
        line.split(":\t", 1) for line in ask("result = open('/proc/self/status').read()").splitlines()
        if ":\t" in line
    )  # fmt: skip
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == 0
    for name in ("CapPrm", "CapEff", "CapBnd"):  # CAP_NET_BIND_SERVICE, CAP_NET_ADMIN
        assert int(status[name], 16) == 1 << 10 | 1 << 12
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize(
    "call", ["unshare(0x10000000)", "ptrace(0, 1, 0, 0)", "mount(0, 0, 0, 0, 0)", "setns(0, 0)"]
)
def test_calls_that_are_not_there(ask, call):
    code = "import ctypes; c = ctypes.CDLL(None, use_errno=True); c.{}; result = ctypes.get_errno()"
    assert ask(code.format(call)) == 38


def test_another_process_of_it_is_not_readable_either(ask):
    code = """
import ctypes
c = ctypes.CDLL(None, use_errno=True)
c.process_vm_readv(1, 0, 0, 0, 0, 0)
result = ctypes.get_errno()
"""
    assert ask(code) == 38


def test_descriptors_environment_and_arguments_are_what_was_measured(ask):
    fds, environment, arguments = ask("result = [at_start, environment, arguments]")
    assert fds[:3] == ["0", "1", "2"]
    assert len(fds) == 4  # the fourth is the listing's own
    assert environment == {
        "PATH": "/sbin:/usr/sbin:/bin:/usr/bin",
        "PYTHONHOME": "/usr",
        "PYTHONUNBUFFERED": "1",
        "GREETING": "measured",
    }
    assert arguments == ["/usr/bin/python3", "-S", "/app.py"]
    links = ask("import os; result = [os.readlink(f'/proc/self/fd/{n}') for n in range(5)]")
    assert links[0] == "/dev/null"
    assert links[1].startswith("pipe:")
    # Its own: the device, and with some builds libffi's file, of which ctypes maps trampolines.
    own = [link for link in links[3:] if "libffi" not in link]
    assert own[0] == "/dev/nsm"


def test_kernel_settings_cannot_be_written(ask):
    code = """
result = []
for name in ("kernel/core_pattern", "vm/drop_caches", "kernel/hostname"):
    try:
        open("/proc/sys/" + name, "w").write("x")
        result.append(name)
    except OSError:
        pass
"""
    assert ask(code) == []


def test_memory_is_limited_and_never_dumped(ask):
    code = """
import resource
try:
    bytearray(600 << 20)
    result = "given"
except MemoryError:
    result = [resource.getrlimit(resource.RLIMIT_DATA)[0], resource.getrlimit(resource.RLIMIT_CORE)[0]]
"""
    assert ask(code) == [512 << 20, 0]


def test_a_full_root_is_an_error_in_the_enclave_only(ask):
    code = """
import os
try:
    with open("/tmp/fill", "wb") as file:
        for _ in range(600):
            file.write(bytes(1 << 20))
    result = "given"
except OSError as error:
    result = error.errno
os.unlink("/tmp/fill")
"""
    assert ask(code) == errno.EFBIG  # a file: half of the memory at most


def test_the_document_says_what_was_measured_and_where(host, eif):
    """A production enclave: PCR0-2 of the file, PCR3 and PCR4 of the cloud's record."""
    started = host.client.run_enclave(LaunchRequest(str(eif), 256, 2, enclave_name="production"))
    try:
        code = "result = nsm.attest(nonce=b'n', public_key=b'k').hex()"
        document = parse_document(bytes.fromhex(host.ask(started["EnclaveCID"], code)))
    finally:
        host.client.terminate_enclave(started["EnclaveID"])
    measured = measure_file(eif)
    assert [document.pcrs[i] for i in range(3)] == [measured.pcr0, measured.pcr1, measured.pcr2]
    extended = [hashlib.sha384(bytes(48) + text.encode()).digest() for text in (ROLE, INSTANCE)]
    assert [document.pcrs[3], document.pcrs[4]] == extended
    assert document.pcrs[8] == bytes(48)
    assert (document.nonce, document.public_key) == (b"n", b"k")
    assert document.module_id == started["EnclaveID"]


def test_a_debug_document_has_zeros_for_the_image_only(ask):
    document = parse_document(bytes.fromhex(ask("result = nsm.attest().hex()")))
    assert [document.pcrs[i] for i in range(3)] == [bytes(48)] * 3
    assert document.is_debug
    assert document.pcrs[3] != bytes(48)
    assert document.pcrs[4] != bytes(48)


def test_it_reaches_no_port_that_nobody_listens_on(ask):
    code = """
from nitro_workflow.errors import VsockError
result = []
for cid, port in ((3, 1), (3, 9999), (2, 5005), (17, 5005), (1, 1), (0, 9000)):
    try:
        open_transport().connect(cid, port).close()
        result.append([cid, port])
    except VsockError:
        pass
"""
    assert ask(code) == []


def test_links_in_the_parents_folder_lead_nowhere(host, ask):
    """Sockets are opened by name in a folder of the parent's: a link must not lead elsewhere."""
    folder = host.runtime / "instance" / INSTANCE / "vsock" / "3"
    (folder / "v.sock_6000").symlink_to(host.runtime / "hypervisor.sock")
    (folder / "v.sock_6001").write_text("")
    code = """
import socket
result = []
for port in (6000, 6001):
    with socket.socket(socket.AF_VSOCK) as sock:
        result.append(sock.connect_ex((3, port)))
"""
    assert ask(code) == [errno.ECONNRESET] * 2
