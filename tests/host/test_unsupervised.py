"""Where the kernel's feature is forbidden: the lab's own application runs, by what it inherits."""

import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import VsockError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.host.control import enclave_machines
from nitro_workflow.host.sandbox import supervision
from nitro_workflow.host.sandbox.descriptor_reserve import RESERVE
from nitro_workflow.host.sandbox.gateway import Gateway
from tests.host.conftest import INSTANCE, Host

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def unsupervised(sandbox_works, workshop):
    if not sandbox_works:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = Host(folder, workshop / "parent.py", "unsupervised")
    it.client.boot_instance(INSTANCE)
    yield it
    it.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def alone(unsupervised, eif):
    return unsupervised and unsupervised.client.run_enclave(
        LaunchRequest(str(eif), 512, 2, debug_mode=True)
    )


def test_the_applications_own_way(sandboxed, unsupervised, alone):
    """Vsock by the folder, the module by descriptor 3: both answer."""
    ask = lambda code: unsupervised.ask(alone["EnclaveCID"], code)  # noqa: E731
    document = bytes.fromhex(ask("result = nsm.attest().hex()"))
    assert parse_document(document).module_id == alone["EnclaveID"]
    assert ask("import os; result = os.path.exists('/dev/nsm')") is False
    assert ask("import os; result = os.readlink('/proc/self/fd/3')").startswith("socket:")
    assert "host.sock" in ask("import os; result = os.listdir('/run/vsock')")


def test_an_empty_request_does_not_end_the_module(sandboxed, unsupervised, alone):
    code = """
import os, socket
with socket.socket(fileno=os.dup(3)) as line:
    line.settimeout(60)
    line.send(b"")
    result = [len(line.recv(4096)) > 0, len(nsm.attest()) > 1000]
"""
    assert unsupervised.ask(alone["EnclaveCID"], code) == [True, True]


def test_the_kernels_vsock_is_out_of_reach_there_too(sandboxed, unsupervised, alone):
    code = """
import socket
try:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
except OSError as error:
    result = error.errno
"""
    assert unsupervised.ask(alone["EnclaveCID"], code) == 97  # EAFNOSUPPORT


def test_the_hypervisors_last_descriptors_are_not_for_who_dials(sandboxed, unsupervised, alone):
    pid = unsupervised.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + RESERVE // 2, limits[1]))
    try:
        with pytest.raises(VsockError):
            unsupervised.dial(alone["EnclaveCID"], seconds=1)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert unsupervised.ask(alone["EnclaveCID"], "result = 1") == 1
    assert unsupervised.client.describe_instance(INSTANCE)["EndedFor"] == ""


def test_a_port_that_is_listened_on_is_seen(tmp_path):
    """Else each launch would wait for a program's end as long as it may."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "host.sock"))
    listener.listen()
    (tmp_path / "parent").mkdir()
    guest, parent = (os.open(it, os.O_PATH) for it in (tmp_path, tmp_path / "parent"))
    gateway = Gateway(listener.detach(), guest, parent, 16, threading.Event())
    try:
        assert not gateway.is_listened_on
        (tmp_path / "5005").touch()
        assert gateway.is_listened_on
    finally:
        gateway.close()
        os.close(parent)
    assert not gateway.is_listened_on


def test_its_network_is_the_same(sandboxed, unsupervised, alone):
    code = "result = [it.split(':')[0].strip() for it in open('/proc/net/dev').read().splitlines()[2:]]"
    assert unsupervised.ask(alone["EnclaveCID"], code) == ["lo"]


def test_the_machine_says_whose_programs_run(monkeypatch):
    assert "only the lab's own application" not in enclave_machines.SandboxMachine().describe()
    monkeypatch.setattr(enclave_machines, "supervision_problem", lambda: "Linux 5.4")
    said = enclave_machines.SandboxMachine().describe()
    assert said.endswith("only the lab's own application: Linux 5.4")


PROBLEM = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.host.fake_hypervisor import forbid_supervision
forbid_supervision()
from nitro_workflow.host import supervision_problem
print(supervision_problem())
"""


def test_what_is_missing_is_said(sandboxed):
    done = subprocess.run(
        [sys.executable, "-c", PROBLEM, str(Path(__file__).parents[2])],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "seccomp: Operation not permitted" in done.stdout
    assert "seccomp profile" in done.stdout


@pytest.mark.parametrize("release", ["5.13.0-generic", "5.4.17-2136", "4.18.0-553.el8"])
def test_a_kernel_before_the_feature(monkeypatch, release):
    monkeypatch.setattr(os, "uname", lambda: type("Uname", (), {"release": release})())
    supervision._found.cache_clear()
    try:
        problem = supervision.supervision_problem()
    finally:
        supervision._found.cache_clear()
    assert release in problem
    assert "5.14" in problem


def test_several_who_ask_at_once_wait_for_one_trial(monkeypatch):
    """A second one would still have its processes when the first has been answered."""
    together, tried = threading.Barrier(3), []

    def try_late():
        tried.append(1)
        time.sleep(0.2)  # the others ask meanwhile

    def ask(_):
        together.wait(60)
        return supervision.supervision_problem()

    monkeypatch.setattr(supervision, "_try", try_late)
    supervision._found.cache_clear()
    try:
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(ask, range(3))) == [None] * 3
    finally:
        supervision._found.cache_clear()
    assert len(tried) == 1
