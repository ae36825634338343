"""Enclave programs that know nothing of this project: C, static and not, and plain Python."""

import contextlib
import errno
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nitro_workflow.errors import HostError, VsockError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.image import BootParts, build_image
from nitro_workflow.vsock import HostTransport
from tests.host.conftest import INSTANCE
from tests.host.vsock_programs import CALL, NSM, Parent, build, compiler

pytestmark = pytest.mark.sandbox


def image_of(folder: Path, command, name) -> Path:
    output = folder.parent / f"{name}.eif"
    build_image(
        rootfs=folder, command=command, environment={}, output=output, name=name, version="1",
        boot=BootParts.stand_in(), build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return output


@pytest.fixture
def folder_of_instance(host):
    return host.runtime / "instance" / INSTANCE / "vsock"


@pytest.fixture
def run_image(host):
    started = []

    def run(eif, memory=256):
        it = host.client.run_enclave(LaunchRequest(str(eif), memory, 2, debug_mode=True))
        started.append(it["EnclaveID"])
        return it

    yield run
    running = {it["EnclaveID"] for it in host.client.describe_enclaves()}
    for enclave_id in running.intersection(started):
        with contextlib.suppress(HostError):  # it may have ended by itself since
            host.client.terminate_enclave(enclave_id)


@pytest.fixture(params=["static", "dynamic"])
def program(request, require, tmp_path):
    require("compiler", compiler() is not None, "apt-get install gcc libc6-dev")
    root = tmp_path / "rootfs"
    root.mkdir()
    options = ("-static",) if request.param == "static" else ()
    build(NSM, root / "program", *options)
    (root / "program.c").unlink()
    if request.param == "dynamic":
        listed = subprocess.run(
            ["ldd", str(root / "program")], capture_output=True, text=True, check=True
        ).stdout
        for word in listed.split():
            if word.startswith("/"):
                place = root / word.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(word, place)
    return root


def test_a_c_program_has_module_vsock_and_helpers(program, tmp_path, run_image, folder_of_instance):
    with HostTransport(folder_of_instance).listen(7300) as listener:
        listener.settimeout(60)
        it = run_image(image_of(program, ["/program"], "c"))
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as stream:
            said = stream.read().decode()
    assert said == f"from {it['EnclaveCID']}, helper 0"


def test_a_parent_program_and_an_enclave_talk(ask, enclave, folder_of_instance):
    """Neither knows more than AF_VSOCK; each sees the other's CID and port."""
    ask(
        """
import threading
heard = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
heard.bind((socket.VMADDR_CID_ANY, 5100))
heard.listen()
def answer():
    sock, peer = heard.accept()
    with sock:
        sock.sendall(json.dumps([peer, sock.getsockname(), sock.getpeername()]).encode())
        sock.recv(100)
threading.Thread(target=answer).start()
""".replace("import threading", "import json, socket, threading")
    )
    parent = Parent(folder_of_instance)
    try:
        status, said, errors = parent.python(CALL, enclave["EnclaveCID"], 5100)
    finally:
        parent.close()
    assert status == 0, errors
    answer, _, names = said.partition("]] ")
    peer, local, again = json.loads(answer + "]]")
    own_cid, own_port, peer_cid, peer_port = map(int, names.split())
    assert (own_cid, peer_cid, peer_port) == (3, enclave["EnclaveCID"], 5100)
    assert peer == again == [3, own_port]
    assert local == [enclave["EnclaveCID"], 5100]


def test_what_vsock_answers(ask, enclave):
    """As the kernel's own. [src: Linux net/vmw_vsock/af_vsock.c]"""
    code = """
import errno, fcntl, os, socket, struct
def number(do):
    try:
        return do() or 0
    except OSError as error:
        return error.errno
result = {}
result["datagram"] = number(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM).close())
result["seqpacket"] = number(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_SEQPACKET).close())
result["raw"] = number(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_RAW).close())
result["protocol"] = number(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM, 6).close())
result["pair"] = number(lambda: socket.socketpair(socket.AF_VSOCK))
one, two = (socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) for _ in range(2))
result["other cid"] = number(lambda: one.bind((17, 5200)))
result["bind"] = number(lambda: one.bind((socket.VMADDR_CID_ANY, 5200)))
result["bind again"] = number(lambda: one.bind((socket.VMADDR_CID_ANY, 5201)))
result["taken"] = number(lambda: two.bind((socket.VMADDR_CID_ANY, 5200)))
result["not connected"] = number(lambda: two.getpeername() and 0)
result["accept before listen"] = number(lambda: two.accept() and 0)
one.listen()
one.setblocking(False)
result["nobody came"] = number(lambda: one.accept() and 0)
two.connect((socket.VMADDR_CID_LOCAL if hasattr(socket, "VMADDR_CID_LOCAL") else 1, 5200))
result["connected"] = number(lambda: two.connect((3, 1)))
result["peer"] = list(two.getpeername())
sock, peer = one.accept()
result["accepted"] = [list(peer) == list(two.getsockname()), list(sock.getsockname())]
result["family"] = sock.getsockopt(socket.SOL_SOCKET, 39)
result["buffer"] = two.getsockopt(40, 0)
result["option"] = number(lambda: two.setsockopt(40, 77, 8))
result["free port"] = 0
three = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
three.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
result["free port"] = three.getsockname()[1] > 1023
device = os.open("/dev/vsock", os.O_RDONLY)
result["cid"] = struct.unpack("I", fcntl.ioctl(device, socket.IOCTL_VM_SOCKETS_GET_LOCAL_CID, b"0000"))[0]
one.close(); two.close(); sock.close()
again = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
result["free again"] = number(lambda: again.bind((socket.VMADDR_CID_ANY, 5200)))
again.close()
"""
    cid = enclave["EnclaveCID"]
    assert ask(code) == {
        "datagram": errno.ENODEV,
        "seqpacket": errno.ESOCKTNOSUPPORT,
        "raw": errno.ESOCKTNOSUPPORT,
        "protocol": errno.EPROTONOSUPPORT,
        "pair": errno.EAFNOSUPPORT,
        "other cid": errno.EADDRNOTAVAIL,
        "bind": 0,
        "bind again": errno.EINVAL,
        "taken": errno.EADDRINUSE,
        "not connected": errno.ENOTCONN,
        "accept before listen": errno.EINVAL,
        "nobody came": errno.EAGAIN,
        "connected": errno.EISCONN,
        "peer": [1, 5200],
        "accepted": [True, [cid, 5200]],
        "family": 40,
        "buffer": 256 * 1024,
        "option": errno.ENOPROTOOPT,
        "free port": True,
        "cid": cid,
        "free again": 0,
    }


def test_accept_waits_as_long_as_it_was_told(ask):
    code = """
import ctypes, socket, struct, time
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
    listener.bind((socket.VMADDR_CID_ANY, 5210))
    listener.listen()
    limit = struct.pack("=qq", 0, 300_000)
    ctypes.CDLL(None).setsockopt(listener.fileno(), socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit, 16)
    begin = time.monotonic()
    try:
        listener.accept()
    except BlockingIOError:
        result = time.monotonic() - begin
"""
    assert ask(code) > 0.25


def test_connections_that_nobody_accepts_end_with_their_listener(host, ask, enclave):
    ask("""
import socket
kept = globals().setdefault("kept", [])
kept.append(socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
kept[-1].bind((socket.VMADDR_CID_ANY, 5220))
kept[-1].listen(1)
import builtins
builtins.kept = kept
""")
    with host.dial(enclave["EnclaveCID"], 5220) as sock:
        sock.settimeout(60)
        ask("import builtins; builtins.kept.pop().close()")
        assert sock.recv(1) == b""
    with pytest.raises(VsockError):
        host.dial(enclave["EnclaveCID"], 5220, seconds=0)


def test_many_connections_at_once(host, ask, enclave):
    """As many as a listener may have waiting, each to its own answer."""
    ask(
        """
import socket, threading
def serve():
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
        listener.bind((socket.VMADDR_CID_ANY, 5230))
        listener.listen(64)
        for _ in range(200):
            sock, _ = listener.accept()
            threading.Thread(target=echo, args=(sock,)).start()
def echo(sock):
    with sock:
        sock.sendall(sock.recv(16))
scope = dict(globals())
threading.Thread(target=serve).start()
result = None
""".replace("def serve", "global serve, echo\ndef serve")
    )
    for _ in range(4):
        socks = [host.dial(enclave["EnclaveCID"], 5230) for _ in range(50)]
        for index, sock in enumerate(socks):
            sock.sendall(b"%d" % index)
        for index, sock in enumerate(socks):
            with sock:
                assert sock.recv(16) == b"%d" % index


def test_there_is_one_user(ask):
    code = """
import os
result = []
for number in (0, 33, 65534):
    try:
        os.setuid(number)
        result.append(0)
    except OSError as error:
        result.append(error.errno)
"""
    assert ask(code) == [0, errno.EINVAL, errno.EINVAL]


def test_a_script_sets_its_loopback_up(ask):
    """What ``ip addr add 127.0.0.2/32 dev lo`` and ``ip link set lo up`` say, in netlink's words."""
    code = """
import os, socket, struct
def answer(kind, flags, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
        sock.send(struct.pack("=IHHII", 16 + len(body), kind, 0x5 | flags, 1, 0) + body)
        data = sock.recv(8192)
        return struct.unpack_from("=HH", data, 4)[0], struct.unpack_from("=i", data, 16)[0]
address = socket.inet_pton(socket.AF_INET, "127.0.0.2")
parts = b"".join(struct.pack("=HH4s", 8, number, address) for number in (1, 2))  # IFA_ADDRESS, IFA_LOCAL
result = [
    answer(20, 0x600, struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, 1) + parts),  # RTM_NEWADDR
    answer(16, 0, struct.pack("=BxHiII", 0, 0, 1, 1, 1)),  # RTM_NEWLINK, IFF_UP
]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind((b"127.0.0.2", 0))
    result.append(sock.getsockname()[0])
"""
    assert ask(code) == [[2, 0], [2, 0], "127.0.0.2"]  # NLMSG_ERROR with no error: done


def test_what_ordinary_programs_call(ask):
    code = """
import ctypes, os, select, signal, socket, subprocess, threading, time
result = []
with select.epoll() as poll:
    eventfd = os.eventfd(1)
    poll.register(eventfd, select.EPOLLIN)
    result.append(poll.poll(1)[0][0] == eventfd)
libc = ctypes.CDLL(None, use_errno=True)
mask = (ctypes.c_ulong * 16)(1 << signal.SIGUSR1 - 1)
result.append(libc.signalfd(-1, mask, 0) >= 0)
result.append(libc.timerfd_create(1, 0) >= 0)
result.append(libc.inotify_init1(0) >= 0)
result.append(os.memfd_create("m") >= 0)
result.append(os.pidfd_open(os.getpid()) >= 0)
lock = threading.Lock()
threads = [threading.Thread(target=lambda: lock.acquire() and lock.release()) for _ in range(20)]
[it.start() for it in threads], [it.join() for it in threads]
result.append(subprocess.run(["/usr/bin/python3", "-S", "-c", "print(1)"], capture_output=True).stdout == b"1\\n")
result.append(libc.syscall(435, 0, 0))  # clone3: libc falls back
result.append(ctypes.get_errno())
result.append(libc.syscall(425, 8, 0))  # io_uring_setup
result.append(ctypes.get_errno())
"""
    assert ask(code) == [*[True] * 7, -1, errno.ENOSYS, -1, errno.ENOSYS]
