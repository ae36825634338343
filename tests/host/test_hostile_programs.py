"""Programs that lie to the supervisor, flood it, race it, or die under it: each harms only itself."""

import array
import errno
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from nitro_workflow.attestation import parse_document
from nitro_workflow.host import LaunchRequest
from nitro_workflow.host.supervisor.enclave_gate import LINE_SECONDS
from nitro_workflow.vsock import HostTransport
from tests.host.conftest import INSTANCE

pytestmark = pytest.mark.sandbox

LATE = 60  # seconds, on a loaded machine; what is tried meanwhile lasts longer

# Calls as they are, past Python's own checks.
RAW = """
import ctypes, errno, os, signal, socket, struct, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
CALLS = {"ioctl": 16, "socket": 41, "connect": 42, "accept": 43, "bind": 49, "getsockname": 51,
         "getpeername": 52, "setsockopt": 54, "getsockopt": 55, "accept4": 288}
if os.uname().machine == "aarch64":
    CALLS = {"ioctl": 29, "socket": 198, "connect": 203, "accept": 202, "bind": 200, "getsockname": 204,
             "getpeername": 205, "setsockopt": 208, "getsockopt": 209, "accept4": 242}
def call(name, *arguments):
    return _call(CALLS[name], [it if isinstance(it, bytes) else ctypes.c_ulong(it) for it in arguments])
def _call(number, words):
    found = libc.syscall(ctypes.c_long(number), *words)
    return found if found >= 0 else -ctypes.get_errno()
def address(cid, port, family=40):
    return struct.pack("=HHII4x", family, 0, port, cid)
def vsock():
    return socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
"""

# Signals whose calls are restarted, until something is in `done`. Their handler is C's `abs`, which
# does nothing: one in Python waits for the interpreter's lock, whose own thread it may have stopped.
STORM = """
class Action(ctypes.Structure):
    _fields_ = (("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int),
                ("restorer", ctypes.c_void_p))
RESTART = 0x10000000
action = Action(ctypes.cast(libc.abs, ctypes.c_void_p), flags=RESTART)
libc.sigaction(signal.SIGALRM, ctypes.byref(action), None)
done = []
def storm():
    while not done:
        os.kill(os.getpid(), signal.SIGALRM); time.sleep(0.0005)
threading.Thread(target=storm).start()
"""


@pytest.fixture
def second(host, eif):
    """An enclave that a test may ruin."""
    it = host.client.run_enclave(LaunchRequest(str(eif), 512, 2, debug_mode=True))
    yield it
    if it["EnclaveID"] in {one["EnclaveID"] for one in host.client.describe_enclaves()}:
        host.client.terminate_enclave(it["EnclaveID"])


def still_well(host, enclave):
    """The other enclave has vsock and its module, at once."""
    begin = time.monotonic()
    document = bytes.fromhex(host.ask(enclave["EnclaveCID"], "result = nsm.attest().hex()"))
    assert parse_document(document).module_id == enclave["EnclaveID"]
    return time.monotonic() - begin


def test_lies_about_addresses_and_lengths(ask):
    code = (
        RAW
        + """
sock, bound = vsock(), vsock()
bound.bind((socket.VMADDR_CID_ANY, 5300)); bound.listen()
fd = sock.fileno()
nowhere, edge = 0x1000, libc.mmap
size = ctypes.create_string_buffer(struct.pack("=i", 16), 4)
minus = ctypes.create_string_buffer(struct.pack("=i", -1), 4)
small = ctypes.create_string_buffer(struct.pack("=i", 4), 4)
room = ctypes.create_string_buffer(b"." * 16, 16)
at = ctypes.addressof
result = {
    "null": call("bind", fd, 0, 16),
    "unmapped": call("bind", fd, nowhere, 16),
    "kernel's": call("connect", fd, 0xFFFF800000000000, 16),
    "too long": call("bind", fd, address(3, 1), 129),
    "minus": call("bind", fd, address(3, 1), 0xFFFFFFFF),
    "other family": call("connect", fd, address(3, 1, socket.AF_INET), 16),
    "a unix name": call("connect", fd, struct.pack("=H", 1) + b"/dev/null/some/path", 20),
    "room unmapped": call("getsockname", bound.fileno(), nowhere, at(size)),
    "size unmapped": call("getsockname", bound.fileno(), at(room), nowhere),
    "size minus": call("getsockname", bound.fileno(), at(room), at(minus)),
    "cut": call("getsockname", bound.fileno(), at(room), at(small)),
    "cut room": room.raw[4:8].decode(),
    "cut size": struct.unpack("=i", small.raw)[0],
    "no such descriptor": call("bind", 999, address(3, 1), 16),
    "a file": call("bind", os.open("/dev/null", os.O_RDONLY), address(3, 1), 16),
    "high words": call("bind", (1 << 63) | fd, address(0xFFFFFFFF, 5301), (1 << 40) | 16),
    "accept flags": call("accept4", bound.fileno(), 0, 0, 0xFF),
}
"""
    )
    assert ask(code) == {
        "null": -errno.EFAULT,
        "unmapped": -errno.EFAULT,
        "kernel's": -errno.EFAULT,
        "too long": -errno.EINVAL,
        "minus": -errno.EINVAL,
        "other family": -errno.EAFNOSUPPORT,
        "a unix name": -errno.EAFNOSUPPORT,
        "room unmapped": -errno.EFAULT,
        "size unmapped": -errno.EFAULT,
        "size minus": -errno.EINVAL,
        "cut": 0,
        "cut room": "....",
        "cut size": 16,
        "no such descriptor": -errno.EBADF,
        "a file": -errno.ENOTSOCK,
        "high words": 0,
        "accept flags": -errno.EINVAL,
    }


def test_lies_about_messages_to_the_module(ask, enclave):
    code = (
        RAW
        + """
device = os.open("/dev/nsm", os.O_RDWR)
request = ctypes.create_string_buffer(b"\\x6bDescribeNSM", 12)
answer = ctypes.create_string_buffer(b"." * 0x3000, 0x3000)
at = ctypes.addressof
def ask_module(*message):
    words = ctypes.create_string_buffer(struct.pack("=4Q", *message), 32)
    found = call("ioctl", device, 0xC0200A00, at(words))
    return [found, struct.unpack("=4Q", words.raw)[3]]
most = (1 << 64) - 1
result = {
    "too long": ask_module(at(request), 0x1001, at(answer), 0x3000)[0],
    "endless": ask_module(at(request), most, at(answer), 0x3000)[0],
    "unmapped": ask_module(0x1000, 12, at(answer), 0x3000)[0],
    "nowhere to answer": ask_module(at(request), 12, 0x1000, 0x3000)[0],
    "message unmapped": call("ioctl", device, 0xC0200A00, 0x1000),
    "no room": ask_module(at(request), 12, 0, 0),
    "little room": ask_module(at(request), 12, at(answer), 5),
    "behind it": answer.raw[5:8].decode(),
    "empty": ask_module(at(request), 0, at(answer), 0x3000)[0],
    "boundless room": ask_module(at(request), 12, at(answer), most)[0],
    "another request": call("ioctl", device, 0x5401, at(answer)),
}
"""
    )
    assert ask(code) == {
        "too long": -errno.EMSGSIZE,
        "endless": -errno.EMSGSIZE,
        "unmapped": -errno.EFAULT,
        "nowhere to answer": -errno.EFAULT,
        "message unmapped": -errno.EFAULT,
        "no room": [0, 0],
        "little room": [0, 5],
        "behind it": "...",
        "empty": 0,
        "boundless room": 0,
        "another request": -errno.ENOTTY,
    }


def test_an_address_that_changes_under_the_call(host, ask, enclave, second):
    """Read once: what was checked is what is dialled, and another enclave is never it."""
    code = (
        RAW
        + f"""
there = ctypes.create_string_buffer(address(3, 5310), 16)
good, bad = address(3, 5310), address({second["EnclaveCID"]}, 5005)
stop = []
def flip():
    while not stop:
        ctypes.memmove(there, bad, 16); ctypes.memmove(there, good, 16)
threading.Thread(target=flip).start()
result = {{}}
for _ in range(300):
    with vsock() as sock:
        found = call("connect", sock.fileno(), ctypes.addressof(there), 16)
        peer = sock.getpeername() if found == 0 else found
        result[str(peer)] = result.get(str(peer), 0) + 1
stop.append(1)
"""
    )
    folder = host.runtime / "instance" / INSTANCE / "vsock"
    with HostTransport(folder).listen(5310, backlog=512):
        answers = ask(code)
    assert set(answers) <= {"(3, 5310)", str(-errno.ECONNRESET)}
    assert sum(answers.values()) == 300


def test_a_descriptor_that_changes_under_the_call(host, ask):
    """What is answered "not ours" goes on to the kernel: it must lead nowhere, whatever is there by
    then. An abstract name of this machine is what a Unix socket of its namespace would reach."""
    name = f"\0nw-{os.urandom(4).hex()}"
    with socket.socket(socket.AF_UNIX) as outside:
        outside.bind(name)
        outside.listen(512)
        outside.setblocking(False)
        code = (
            RAW
            + f"""
name = struct.pack("=H", 1) + {name.encode()!r}
place = vsock().detach()
stop, reached = [], 0
ours, theirs = vsock(), socket.socket(socket.AF_UNIX)
def swap():
    while not stop:
        os.dup2(ours.fileno(), place); os.dup2(theirs.fileno(), place)
threading.Thread(target=swap).start()
for _ in range(1000):
    reached += call("connect", place, name + bytes(16), len(name)) == 0
stop.append(1)
result = reached
"""
        )
        assert ask(code) == 0
        with pytest.raises(BlockingIOError):
            outside.accept()


def test_interrupted_calls_happen_once(host, ask):
    """A storm of signals whose calls are restarted: every connection arrives, and none twice."""
    code = (
        RAW
        + STORM
        + """
result = []
for number in range(150):
    with vsock() as sock:
        sock.connect((3, 5320))
        sock.sendall(b"%d" % number)
        result.append(number)
done.append(1)
"""
    )
    folder = host.runtime / "instance" / INSTANCE / "vsock"
    heard = []
    with HostTransport(folder).listen(5320, backlog=512) as listener:
        assert len(ask(code)) == 150
        listener.settimeout(60)
        for _ in range(150):
            sock, _ = listener.accept()
            with sock, sock.makefile("rb") as stream:
                heard.append(stream.read())
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert sorted(map(int, heard)) == list(range(150))


def test_an_interrupted_extension_happens_once(host, ask):
    """A PCR that were extended twice for one call would attest to what never was."""
    code = (
        RAW
        + STORM
        + """
import hashlib
expected = nsm.describe_pcr(20).value
for number in range(100):
    data = b"%d" % number
    expected = hashlib.sha384(expected + data).digest()
    nsm.extend_pcr(20, data)
done.append(1)
result = nsm.describe_pcr(20).value == expected
"""
    )
    assert ask(code) is True


def test_a_flood_harms_its_own_enclave(host, enclave, second):
    """Four processes call as fast as they can; the other enclave and the hypervisor go on."""
    host.ask(second["EnclaveCID"], RAW + """
for _ in range(4):
    if os.fork() == 0:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            try:
                vsock().close()
            except OSError:
                pass
        os._exit(0)
result = None
""")  # fmt: skip
    quiet = min(still_well(host, enclave) for _ in range(3))
    assert quiet < LATE
    begin = time.monotonic()
    host.client.ping()
    assert time.monotonic() - begin < LATE
    host.client.terminate_enclave(second["EnclaveID"])
    assert still_well(host, enclave) < LATE


def test_sockets_and_waiting_calls_have_an_end(host, enclave, second):
    """All descriptors of five processes: the table's limit, then room again when they are gone."""
    code = (
        RAW
        + """
readers, (ended, end) = [], os.pipe()
for _ in range(5):
    read, write = os.pipe()
    readers.append(read)
    if os.fork() == 0:
        held, said = [], 0
        try:
            while True:
                held.append(vsock())
        except OSError as error:
            said = error.errno
        os.write(write, f"{len(held)} {said}".encode())
        os.read(ended, 1)  # held until all have had theirs
        os._exit(0)
answers = [tuple(map(int, os.read(it, 100).split())) for it in readers]
os.write(end, bytes(5))
for _ in readers:
    os.wait()
until = time.monotonic() + 60
while True:  # its supervisor looks once a second who is gone
    try:
        vsock().close()
        break
    except OSError:
        assert time.monotonic() < until
        time.sleep(0.1)
result = [sum(it[0] for it in answers), sorted({it[1] for it in answers})]
"""
    )
    made, reasons = host.ask(second["EnclaveCID"], code)
    assert made <= 4096
    assert set(reasons) <= {errno.EMFILE, errno.ENFILE}
    assert still_well(host, enclave) < LATE


def test_who_dies_in_a_call_leaves_nothing(host, second):
    code = (
        RAW
        + """
for round in range(20):
    child = os.fork()
    if child == 0:
        sock = vsock()
        sock.bind((socket.VMADDR_CID_ANY, 5330))
        sock.listen()
        threading.Thread(target=sock.accept, daemon=True).start()
        while True:
            vsock().connect((3, 5331))
    time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
with vsock() as sock:
    sock.bind((socket.VMADDR_CID_ANY, 5330))
    result = sock.getsockname()[1]
"""
    )
    code = code.replace("vsock().connect((3, 5331))", "vsock().connect_ex((3, 5331))")
    assert host.ask(second["EnclaveCID"], code) == 5330


def test_no_file_passes_through_vsock(host, ask, enclave):
    """As little as through the real one: a socket of bytes. (Linux 6.16; before, the docs say so.)"""
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 16):
        pytest.skip("Linux before 6.16 has no SO_PASSRIGHTS")
    ask(RAW + """
import array, builtins
def take():
    with vsock() as listener:
        listener.bind((socket.VMADDR_CID_ANY, 5340)); listener.listen()
        time.sleep(0.3)  # what is sent meanwhile waits for it
        sock, _ = listener.accept()
        data, ancillary, flags, _ = sock.recvmsg(1, 64)
        builtins.taken = [len(ancillary), data.decode()]
        try:
            sock.sendmsg([b"y"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
            builtins.taken.append("sent")
        except OSError as error:
            builtins.taken.append(error.errno)
        sock.sendall(b"z")
        builtins.taken.append(0)
        try:
            libc_answer = call("setsockopt", sock.fileno(), 1, 83, struct.pack("=i", 1), 4)
        finally:
            builtins.taken.append(libc_answer)
globals().update(locals())
builtins.taking = threading.Thread(target=take)
taking.start()
""".replace("globals().update(locals())", ""))  # fmt: skip
    with host.dial(enclave["EnclaveCID"], 5340) as sock:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))]
        refused = []
        try:
            sock.sendmsg([b"x"], rights)
        except OSError as error:
            refused.append(error.errno)
            sock.send(b"x")
        assert refused in ([], [errno.EPERM])
        sock.settimeout(60)
        assert sock.recv(1) in (b"y", b"z")
    taken = ask("import builtins; taking.join(60); result = builtins.taken")
    assert taken[0] == 0
    assert taken[-1] == -errno.ENOPROTOOPT


def test_a_filter_of_its_own(ask):
    """A program may tighten what it has; it cannot become a supervisor where there is one."""
    code = (
        RAW
        + """
allow = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(allow, 8)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(code)), 16)
seccomp = 277 if os.uname().machine == "aarch64" else 317
read, write = os.pipe()
if os.fork() == 0:
    listener = _call(seccomp, [ctypes.c_ulong(1), ctypes.c_ulong(8), program])
    plain = _call(seccomp, [ctypes.c_ulong(1), ctypes.c_ulong(0), program])
    with vsock() as sock:
        sock.bind((socket.VMADDR_CID_ANY, 5350))
        os.write(write, f"{listener} {plain} {sock.getsockname()[1]}".encode())
    os._exit(0)
os.wait()
result = list(map(int, os.read(read, 100).split()))
"""
    )
    assert ask(code) == [-errno.EBUSY, 0, 5350]


def supervisors(host):
    """Pids of the supervisors: children of an outer process that share this network-less life."""
    found = []
    for pid in host.processes():
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"bootstrap.py" in command and not children:
            found.append(pid)
    return found


def test_the_supervisor_is_out_of_reach(host, ask, enclave):
    """Not among its processes, and a signal to all of them does not reach it."""
    outside = supervisors(host)
    assert outside
    assert ask("import os; result = len([it for it in os.listdir('/proc') if it.isdigit()])") == 2
    code = (
        RAW
        + """
threads = set(map(int, os.listdir("/proc/self/task")))  # none comes, one may end meanwhile
result = []
for pid in range(2, 5000):
    try:
        os.kill(pid, 0)
        result.append(pid)
    except OSError:
        pass
result = [pid for pid in result if pid not in threads]
"""
    )
    assert ask(code) == []  # but itself, by the numbers of its threads
    assert set(supervisors(host)) >= set(outside)


def test_a_supervisor_has_few_privileges_and_no_network(host, enclave):
    for pid in supervisors(host):
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        for name in ("CapPrm", "CapEff", "CapBnd"):  # CAP_DAC_OVERRIDE, CAP_SYS_PTRACE
            assert int(status[name], 16) | 1 << 1 | 1 << 19 == 1 << 1 | 1 << 19
        assert status["NoNewPrivs"] == "1"
        devices = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in devices] == ["lo"]
        assert (
            len(Path(f"/proc/{pid}/net/unix").read_text().splitlines()) < 64
        )  # none of the machine's
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < 64


def test_a_supervisor_that_ends_takes_its_enclave_along(own_host, eif):
    own_host.client.boot_instance(INSTANCE)
    before = set(supervisors(own_host))
    it = own_host.client.run_enclave(LaunchRequest(str(eif), 512, 2, debug_mode=True))
    (supervisor,) = set(supervisors(own_host)) - before
    os.kill(supervisor, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while own_host.client.describe_enclaves() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert own_host.client.describe_enclaves() == []
    assert (
        f"{it['EnclaveID']} ended: its supervisor has ended"
        in (own_host.folder / "log").read_text()
    )


def test_a_parents_supervisor_that_ends_takes_the_instance_along(own_host):
    own_host.client.boot_instance(INSTANCE)
    (supervisor,) = supervisors(own_host)
    os.kill(supervisor, signal.SIGKILL)
    deadline = time.monotonic() + 60
    said = ""
    while "its supervisor has ended" not in said and time.monotonic() < deadline:
        time.sleep(0.05)
        said = (own_host.folder / "log").read_text()
    assert f"instance {INSTANCE} ended: its supervisor has ended (it was killed)" in said
    own_host.client.boot_instance(INSTANCE)  # and it can be had again


def test_two_enclaves_have_modules_and_fabrics_of_their_own(host, enclave, second):
    for it in (enclave, second):
        document = bytes.fromhex(host.ask(it["EnclaveCID"], "result = nsm.attest().hex()"))
        assert parse_document(document).module_id == it["EnclaveID"]
    host.ask(second["EnclaveCID"], RAW + """
import builtins
builtins.kept = vsock()
kept.bind((socket.VMADDR_CID_ANY, 5360)); kept.listen()
""")  # fmt: skip
    code = (
        RAW
        + f"""
result = []
for cid in ({second["EnclaveCID"]}, 1, 3, 2):
    with vsock() as sock:
        result.append(sock.connect_ex((cid, 5360)))
"""
    )
    assert host.ask(enclave["EnclaveCID"], code) == [errno.ECONNRESET] * 4


def test_a_parent_that_dials_and_says_nothing(host, enclave, second):
    """It fills its enclave's door, for the ten seconds that a line may take; no other's."""
    folder = host.runtime / "instance" / INSTANCE / "vsock"
    silent = []
    try:
        for _ in range(300):
            sock = socket.socket(socket.AF_UNIX)
            silent.append(sock)
            sock.connect(str(folder / str(second["EnclaveCID"]) / "v.sock"))
        assert still_well(host, enclave) < LINE_SECONDS * 0.9
    finally:
        for sock in silent:
            sock.close()
    assert host.ask(second["EnclaveCID"], "result = 1") == 1
