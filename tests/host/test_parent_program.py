"""Programs on the parent that know AF_VSOCK alone, and the folder that their calls end in."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nitro_workflow.host import supervision_problem
from nitro_workflow.vsock import HostTransport
from tests.host.vsock_programs import CALL, ECHO, Parent
from tests.host.waiting import wait_for

pytestmark = pytest.mark.sandbox


@pytest.fixture
def parent(require):
    require("sandbox", supervision_problem() is None, supervision_problem() or "")
    with tempfile.TemporaryDirectory(prefix="nw-", dir="/tmp") as folder:
        it = Parent(folder)
        yield it
        it.close()


def test_two_programs_talk(parent):
    server = parent.listen(ECHO, 5005, 1)
    status, said, _ = parent.python(CALL, 3, 5005)
    words = said.split()
    assert (status, words[0], words[3:]) == (0, "hello", ["3", "5005"])
    assert server.communicate(timeout=60)[0] == f"peer {words[1]} {words[2]}\n"
    assert words[1] == "3"


def test_the_folder_is_firecrackers(parent):
    """A listener that knows nothing of us, and a caller that knows only the convention."""
    server = parent.listen(ECHO, 5005, 1)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(parent.folder / "3" / "v.sock_5005"))
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert server.wait(60) == 0
    (parent.folder / "16").mkdir()
    with socket.socket(socket.AF_UNIX) as gate:
        gate.bind(str(parent.folder / "16" / "v.sock"))
        gate.listen()
        gate.settimeout(60)
        client = parent.start(sys.executable, "-c", CALL, "16", "7000")
        sock, _ = gate.accept()
        with sock, sock.makefile("rwb", buffering=0) as stream:
            assert stream.readline() == b"CONNECT 7000\n"
            stream.write(b"OK 41000\nright behind it: ")
            assert stream.read(5) == b"hello"
        said, _ = client.communicate(timeout=60)
        assert said == "right behind it:  3 41000 16 7000\n"


def test_the_python_seam_is_the_same_folder(parent):
    with HostTransport(parent.folder).listen(7100) as listener:
        listener.settimeout(60)
        client = parent.start(sys.executable, "-c", CALL, "3", "7100")
        sock, _ = listener.accept()
        with sock:
            assert sock.recv(5) == b"hello"
            sock.sendall(b"seen")
        assert client.communicate(timeout=60)[0].startswith("seen 3 ")


@pytest.mark.parametrize(
    ("cid", "port"), [(3, 9999), (16, 5005), (2, 5005), (0, 1), (4294967295, 1), (1, 1)]
)
def test_who_is_not_there_resets(parent, cid, port):
    status, _, errors = parent.python(CALL, cid, port)
    assert (status, "ConnectionResetError" in errors) == (1, True)


def test_a_port_whose_program_was_killed_is_free_again(parent):
    server = parent.listen(ECHO, 5005, 1)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    place = parent.folder / "3" / "v.sock_5005"
    # Its program sees its supervisor's end by the answers it gets.
    wait_for(lambda: not is_listened_on(place))
    assert place.exists()
    parent.listen(ECHO, 5005, 1)


def is_listened_on(place):
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(place)) == 0


def test_a_port_that_is_taken(parent):
    parent.listen(ECHO, 5005, 1)
    status, _, errors = parent.python(ECHO, 5005, 1)
    assert (status, "Address already in use" in errors) == (1, True)


def test_statuses_and_streams_are_the_programs(parent):
    assert parent.run("sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out", "err")
    assert parent.run("sh", "-c", "kill -9 $$")[0] == 137
    status, _, errors = parent.run("/nonexistent/program")
    assert (status, errors) == (127, "/nonexistent/program: No such file or directory")


def test_what_is_not_vsocks_is_the_machines(parent):
    code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as ours, server.accept()[0] as theirs:
        ours.sendall(b"tcp")
        print(theirs.recv(3).decode(), ours.getpeername() == server.getsockname())
left, right = socket.socketpair()
left.sendall(b"unix")
print(right.recv(4).decode(), left.family == socket.AF_UNIX)
"""
    assert parent.python(code)[:2] == (0, "tcp True\nunix True")


ASK_DEVICE = """
import fcntl, os, struct
words = fcntl.ioctl(os.open("/dev/vsock", os.O_RDONLY), 0x7B9, b"0000")
print(struct.unpack("I", words)[0])
open("/dev/null", "w").write("x")
"""
# For another user, who may not see this environment's packages.
DEVICE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from nitro_workflow.host import run_program
sys.exit(run_program([sys.executable, "-I", "-S", "-c", sys.argv[3]], Path(sys.argv[2])))
"""
BARE = """
mount -t tmpfs none /mnt
for name in null zero urandom; do touch /mnt/$name; mount --bind /dev/$name /mnt/$name; done
mount --move /mnt /dev
exec "$@"
"""


@pytest.mark.parametrize("has_device", [True, False])
def test_the_device_is_there_for_an_ordinary_user(parent, require, has_device):
    """Whether this machine has one that they may not open, or none at all."""
    python = Path("/usr/bin/python3")
    require("sandbox", python.exists(), "apt-get install python3")
    parent.folder.chmod(0o755)
    (parent.folder / "3").mkdir(exist_ok=True)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    bare = ["unshare", "--mount", "sh", "-c", BARE, "-"]
    if os.geteuid() != 0:  # an ordinary user already; its mounts need a namespace of its own
        nobody, bare = [], ["unshare", "--user", "--map-root-user", *bare[1:]]
    bare = [] if has_device else bare
    command = [*bare, *nobody, str(python), "-I", "-S", "-c", DEVICE]
    done = subprocess.run(
        [*command, str(Path(__file__).parents[2]), str(parent.folder), ASK_DEVICE],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_a_folder_that_is_not_there(parent):
    from tests.host.vsock_programs import RUN

    done = subprocess.run(
        [sys.executable, "-c", RUN, str(parent.folder / "nowhere"), "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "UsageError" in done.stderr
    assert not Path(parent.folder / "nowhere").exists()
