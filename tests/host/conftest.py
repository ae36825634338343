"""One hypervisor process for the tests of this folder, an instance, and an enclave to ask."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from nitro_workflow.errors import HostError, SandboxUnavailable, VsockError
from nitro_workflow.host import LaunchRequest, SandboxHost, require_sandbox
from nitro_workflow.image import signing_key_from_pem
from nitro_workflow.vsock import HostTransport, recv_json, send_json
from tests.host import images, signing

PATIENCE = 300  # seconds for an answer; who gives none hangs
INSTANCE = "i-0123456789abcdef0"

PARENT = """
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["NITRO_WORKFLOW_INSTANCE"] + "/control.sock")
listener.listen()
while True:
    listener.accept()
"""

# Runs what it is sent: only a test's enclave does that.
ASKED = """
import os, sys, threading
at_start = sorted(os.listdir("/proc/self/fd"), key=int)
environment, arguments = dict(os.environ), sys.orig_argv
from nitro_workflow.enclave.nsm_device import open_nsm
from nitro_workflow.vsock import open_transport, recv_json, send_json
print("started", flush=True)
nsm = open_nsm()
listener = open_transport().listen(5005)

def serve(sock):
    scope = dict(globals())
    try:
        exec(recv_json(sock)["code"], scope)
        send_json(sock, {"result": scope.get("result")})
    except Exception as error:
        send_json(sock, {"error": type(error).__name__ + ": " + str(error)})

while True:
    sock, _ = listener.accept()
    threading.Thread(target=serve, args=(sock,)).start()
"""


class Host:
    """A hypervisor process and what tests ask of it."""

    def __init__(self, folder: Path, parent: Path, *more: str) -> None:
        self.folder = folder
        self.runtime = folder / "run"
        self._arguments = (parent, *more)
        self.process = self.start()
        self.client = SandboxHost(self.runtime)

    def start(self):
        script = Path(__file__).with_name("fake_hypervisor.py")
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(script), self.folder / "lab", self.runtime,
                 *map(str, self._arguments)],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip
        client, deadline = SandboxHost(self.runtime), time.monotonic() + 60
        while True:
            try:
                client.ping()
            except HostError:
                if time.monotonic() > deadline or process.poll() is not None:
                    pytest.fail((self.folder / "log").read_text())
                time.sleep(0.05)
            else:
                return process

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    def processes(self):
        """Pids of everything that descends from the hypervisor."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    text = (entry / "stat").read_text()
                except OSError:
                    continue
                parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
        found, new = set(), {self.process.pid}
        while new:
            new = {pid for pid, parent in parents.items() if parent in new} - found
            found |= new
        return found

    def ask(self, cid, code, port=5005):
        """Run ``code`` in the enclave and return its ``result``."""
        with self.dial(cid, port) as sock:
            sock.settimeout(PATIENCE)
            send_json(sock, {"code": code})
            answer = recv_json(sock)
        assert "error" not in answer, answer
        return answer["result"]

    def dial(self, cid, port=5005, seconds=60.0):
        transport = HostTransport(self.runtime / "instance" / INSTANCE / "vsock")
        deadline = time.monotonic() + seconds
        while True:
            try:
                return transport.connect(cid, port)
            except VsockError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def inside(self, *argv):
        """Run ``argv`` on the instance."""
        return self.client.run_command(INSTANCE, argv)

    def python(self, code):
        """Run Python on the instance and return what it prints."""
        done = self.inside(sys.executable, "-c", code)
        assert done["exit"] == 0, done
        return done["stdout"].strip()


@pytest.fixture
def sandboxed(require):
    try:
        require_sandbox()
    except SandboxUnavailable as error:
        require("sandbox", False, error.next)


@pytest.fixture(scope="session")
def sandbox_works():
    try:
        require_sandbox()
    except SandboxUnavailable:
        return False
    return True


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A folder with a root filesystem and a parent application."""
    folder = tmp_path_factory.mktemp("workshop")
    images.make_rootfs(folder / "rootfs")
    (folder / "parent.py").write_text(PARENT)
    return folder


@pytest.fixture(scope="session")
def eif(workshop):
    return images.build(workshop, ASKED)


@pytest.fixture
def host(sandboxed, shared_host):
    return shared_host


@pytest.fixture(scope="session")
def shared_host(sandbox_works, workshop):
    if not sandbox_works:
        yield None
        return
    # Not pytest's folder: a Unix socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = Host(folder, workshop / "parent.py")
    it.client.boot_instance(INSTANCE)
    yield it
    it.stop()
    shutil.rmtree(folder)


@pytest.fixture
def own_host(sandboxed, workshop):
    """A hypervisor that a test may kill."""
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = Host(folder, workshop / "parent.py")
    yield it
    if it.process.poll() is None:
        it.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shared_enclave(shared_host, eif):
    return shared_host and shared_host.client.run_enclave(
        LaunchRequest(str(eif), 512, 2, debug_mode=True)
    )


@pytest.fixture
def enclave(host, shared_enclave):
    """A debug enclave that runs what it is sent; shared by the tests that only look."""
    return shared_enclave


@pytest.fixture
def ask(host, enclave):
    return lambda code: host.ask(enclave["EnclaveCID"], code)


@pytest.fixture(scope="session")
def signing_key():
    return signing_key_from_pem(*signing.certificate_and_key())
