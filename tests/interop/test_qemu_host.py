"""Images booted by the product's own QEMU host: what runs in the sandbox runs there, unchanged.

QEMU and the kernel are fetched by `host install-qemu` itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from nitro_workflow.attestation import Verifier, pcr3, pcr4
from nitro_workflow.errors import HostError
from nitro_workflow.host import LaunchRequest, QemuHost, install_qemu, installed_blobs
from nitro_workflow.host.qemu.kvm_trial import acceleration
from nitro_workflow.host.qemu.qemu_program import find_qemu
from nitro_workflow.image import BootParts, measure_file, signing_key_from_pem
from nitro_workflow.lab.processes.process_table import is_running
from nitro_workflow.vsock import HostTransport
from tests.host import images, signing
from tests.host.conftest import ASKED, INSTANCE, PARENT, Host
from tests.host.fake_hypervisor import ROLE

pytestmark = pytest.mark.interop

PCRS_OF = "result = {i: nsm.describe_pcr(i).value.hex() for i in (0, 1, 2, 3, 4, 8)}"


class QemuTestHost(Host):
    """A hypervisor process whose enclaves are machines."""

    def dial(self, cid, port=5005, seconds=120.0):
        return super().dial(cid, port, seconds)  # Python starts in seconds there, by emulation


@pytest.fixture(scope="session")
def installed(require_session) -> Path:
    try:
        install_qemu(print)
    except HostError as error:
        require_session("interop", False, error.next)
    return installed_blobs()


@pytest.fixture(scope="session")
def require_session():
    def check(name: str, present: bool, remedy: str) -> None:
        if not present and name in os.environ.get("NITRO_REQUIRE", "").split(","):
            pytest.fail(f"{name} is required (NITRO_REQUIRE) and missing: {remedy}")
        if not present:
            pytest.skip(f"{name} is missing: {remedy}")

    return check


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workshop")
    images.make_rootfs(folder / "rootfs")
    (folder / "parent.py").write_text(PARENT)
    return folder


@pytest.fixture(scope="session")
def image(installed, workshop) -> Path:
    """A signed image with boot parts: for both hosts the same file."""
    key = signing_key_from_pem(*signing.certificate_and_key())
    boot = BootParts.from_blobs(installed)
    return images.build(workshop, ASKED, boot=boot, signing=key)


def started(workshop: Path, kind: type[Host], *more: str) -> Host:
    # Not pytest's folder: a Unix socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = kind(folder, workshop / "parent.py", *more)
    it.client.boot_instance(INSTANCE)
    return it


@pytest.fixture(scope="session")
def host(installed, workshop):
    it = started(workshop, QemuTestHost, "qemu")
    yield it
    it.stop()
    shutil.rmtree(it.folder)


@pytest.fixture(scope="session")
def enclave(host, image):
    return host.client.run_enclave(LaunchRequest(str(image), 512, 2, instance_id=INSTANCE))


def launch(host: Host, image: Path, **fields: object) -> dict[str, object]:
    return host.client.run_enclave(
        LaunchRequest(str(image), 512, 2, instance_id=INSTANCE, **fields)
    )


def test_it_says_what_runs_and_by_what(host, installed):
    said = host.client.execution()
    assert said.startswith("all of it, kernel, init and program, in QEMU ")
    assert str(acceleration(find_qemu(), installed / "bzImage")) in said
    assert not QemuHost(host.runtime).boot_parts().is_stand_in


def test_pcrs_are_those_of_the_sandbox_and_on_paper(host, enclave, image, workshop):
    booted = host.ask(enclave["EnclaveCID"], PCRS_OF)
    sandbox = started(workshop, Host)
    try:
        other = sandbox.client.run_enclave(LaunchRequest(str(image), 512, 2, instance_id=INSTANCE))
        assert sandbox.ask(other["EnclaveCID"], PCRS_OF) == booted
    finally:
        sandbox.stop()
        shutil.rmtree(sandbox.folder)
    paper = measure_file(image).registers | {3: pcr3(ROLE), 4: pcr4(INSTANCE)}
    assert booted == {str(i): paper[i].hex() for i in (0, 1, 2, 3, 4, 8)}
    assert any(paper[8])
    [described] = host.client.describe_enclaves()
    assert described["Measurements"]["PCR0"] == booted["0"]
    assert (described["State"], described["Flags"]) == ("RUNNING", "NONE")


def test_documents_are_signed_by_the_hypervisors_root(host, enclave):
    code = "result = nsm.attest(nonce=b'nonce', user_data=b'data', public_key=b'key').hex()"
    document = bytes.fromhex(host.ask(enclave["EnclaveCID"], code))
    verified = Verifier.local(host.client.attestation_root()).verify(document, at="document")
    said = verified.document
    assert said.module_id == enclave["EnclaveID"]
    assert (said.nonce, said.user_data, said.public_key) == (b"nonce", b"data", b"key")


def test_the_device_is_the_kernels_own(host, enclave):
    code = (
        "result = [os.path.exists('/dev/nsm'), os.major(os.stat('/dev/nsm').st_rdev), os.getpid() > 1,"
        " os.environ['GREETING'], sorted(os.listdir('/'))[:3], open('/proc/1/cmdline').read(),"
        " os.path.exists('/dev/vsock'), os.cpu_count()]"
    )
    there, major, forked, greeting, _, first, vsock, cpus = host.ask(enclave["EnclaveCID"], code)
    assert (there, major, forked, greeting, vsock) == (True, 10, True, "measured", True)
    assert first.startswith("/init")
    assert cpus == 2


def test_random_extend_and_lock(host, enclave):
    code = (
        "nsm.extend_pcr(17, b'x'); nsm.lock_pcr(17);"
        "result = [len(nsm.random()), nsm.describe_pcr(17).locked, nsm.describe().module_id]"
    )
    assert host.ask(enclave["EnclaveCID"], code) == [256, True, enclave["EnclaveID"]]


def test_half_close_and_bulk_over_the_booted_vsock(host, enclave):
    """4 MiB there and back through the guest's own driver, each end closed by half."""
    code = (
        "def work():\n"
        "    with open_transport().listen(6000) as it:\n"
        "        sock, _ = it.accept()\n"
        "    got = b''\n"
        "    while data := sock.recv(65536): got += data\n"
        "    sock.sendall(got); sock.close()\n"
        "threading.Thread(target=work).start()\n"
    )
    host.ask(enclave["EnclaveCID"], code)
    data = os.urandom(4 << 20)
    with host.dial(enclave["EnclaveCID"], 6000) as sock:
        sock.sendall(data)
        sock.shutdown(1)
        back = b""
        while piece := sock.recv(1 << 16):
            back += piece
    assert back == data


def test_two_hundred_connections_of_a_booted_guest(host, enclave):
    folder = host.runtime / "instance" / INSTANCE / "vsock"
    listener = HostTransport(folder).listen(7100, 256)
    got = []

    def serve() -> None:
        for _ in range(200):
            sock, _ = listener.accept()
            got.append(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    code = (
        "socks = [open_transport().connect(3, 7100) for _ in range(200)]\n"
        "for number, sock in enumerate(socks): sock.sendall(b'%d' % number)\n"
        "result = len(socks)\n"
    )
    assert host.ask(enclave["EnclaveCID"], code) == 200
    thread.join(60)
    listener.close()
    assert len(got) == 200
    for sock in got:
        sock.close()


def test_a_program_that_ends_at_once_ends_the_machine(host, installed, workshop):
    short = images.build(
        workshop, "print('last words'); raise SystemExit(3)", name="short",
        boot=BootParts.from_blobs(installed),
    )  # fmt: skip
    before = set(host.processes())
    told = None
    try:
        launch(host, short, debug_mode=True, enclave_name="short")
    except HostError as error:  # within a second: run-enclave tells of it, as the sandbox's does
        told = error
    assert told is None or told.code == "E36"
    deadline = time.monotonic() + 60
    while not (seen := host.client.console(enclave_name="short"))["ended"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "last words" in seen["text"]
    assert "child exited with error" in seen["text"]
    assert "Linux version" in seen["text"]
    assert "short" not in [it["EnclaveName"] for it in host.client.describe_enclaves()]
    assert set(host.processes()) <= before


def test_a_production_enclave_has_no_console(host, enclave):
    with pytest.raises(HostError) as refusal:
        host.client.console(enclave["EnclaveID"])
    assert refusal.value.code == "E44"


def test_a_stand_in_does_not_boot(host, workshop):
    with pytest.raises(HostError) as refusal:
        launch(host, images.build(workshop, "pass", name="stand-in"))
    assert refusal.value.code == "E36"
    assert "stand-in" in refusal.value.found


def test_a_kernel_that_is_none_is_not_waited_for(host, installed, workshop):
    boot = BootParts.from_blobs(installed)
    broken = BootParts(
        boot.architecture, bytes(len(boot.kernel)), boot.command_line, boot.init,
        boot.nsm_module, boot.operating_system, boot.kernel_version,
    )  # fmt: skip
    begun = time.monotonic()
    with pytest.raises(HostError) as refusal:
        launch(host, images.build(workshop, "pass", name="broken", boot=broken))
    assert refusal.value.code == "E36"
    assert time.monotonic() - begun < 60


def test_terminate_ends_every_process(host, image):
    before = set(host.processes())
    enclave = launch(host, image, enclave_name="other")
    machine = Path(f"/proc/{enclave['ProcessID']}")
    status = (machine / "status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert (machine / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    done = host.client.terminate_enclave(enclave["EnclaveID"])
    assert done["Terminated"]
    assert not is_running(enclave["ProcessID"])
    assert set(host.processes()) <= before


def test_a_machine_does_not_outlive_its_devices(host, image):
    """Whoever kills the process beside QEMU has killed the enclave, and nothing else."""
    enclave = launch(host, image, enclave_name="third")
    parent = int(Path(f"/proc/{enclave['ProcessID']}/stat").read_text().split()[3])
    os.kill(parent, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(it["EnclaveName"] == "third" for it in host.client.describe_enclaves()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not is_running(enclave["ProcessID"])
