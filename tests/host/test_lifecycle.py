"""Launch, refusals by code, end; what a killed process leaves; nothing that stays behind."""

import contextlib
import os
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import HostError, VsockError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.image import BootParts, build_image, measure_file
from tests.host import images
from tests.host.conftest import ASKED, INSTANCE, Host
from tests.host.waiting import wait_for

pytestmark = pytest.mark.sandbox


def refused(call, *arguments, **named):
    with pytest.raises(HostError) as caught:
        call(*arguments, **named)
    return caught.value


def launch_refused(host, path, memory):
    return refused(host.client.run_enclave, LaunchRequest(str(path), memory, 2))


def gone(pid):
    return not Path(f"/proc/{pid}").exists()


def test_run_describe_terminate(host, eif):
    started = host.client.run_enclave(LaunchRequest(str(eif), 255, 2, "mine", 40))
    assert started["EnclaveName"] == "mine"
    assert started["EnclaveID"].startswith(f"{INSTANCE}-enc")
    assert (started["EnclaveCID"], started["NumberOfCPUs"], started["MemoryMiB"]) == (40, 2, 256)
    (it,) = [e for e in host.client.describe_enclaves(metadata=True) if e["EnclaveCID"] == 40]
    assert (it["State"], it["Flags"]) == ("RUNNING", "NONE")
    assert it["Measurements"]["PCR0"] == measure_file(eif).pcr0.hex()
    assert it["ImageName"] == "probe"
    ended = host.client.terminate_enclave(enclave_name="mine")
    assert ended == {"EnclaveName": "mine", "EnclaveID": started["EnclaveID"], "Terminated": True}
    assert gone(started["ProcessID"])
    assert started["EnclaveID"] not in {e["EnclaveID"] for e in host.client.describe_enclaves()}
    with pytest.raises(VsockError):
        host.dial(40, seconds=0)
    assert refused(host.client.terminate_enclave, started["EnclaveID"]).code == "E11"


def test_refusals_by_nitro_clis_codes(host, enclave, eif, tmp_path):

    def run(path, *arguments, **named):
        return host.client.run_enclave(LaunchRequest(str(path), *arguments, **named))

    assert refused(run, tmp_path / "absent.eif", 512, 2).code == "E19"
    assert refused(run, eif, 64, 2).code == "E26"
    assert refused(run, eif, 512, 98).code == "E22"
    assert refused(run, eif, 512, 0).code == "E29"
    assert refused(run, eif, 512, cpu_ids=(2, 2)).code == "E20"
    assert refused(run, eif, 512, cpu_ids=(77,)).code == "E21"
    assert refused(run, eif, 512, 2, enclave_cid=3).code == "E03"
    assert refused(run, eif, 512, 2, enclave_cid=enclave["EnclaveCID"]).code == "E29"
    assert refused(host.client.console, "i-0-enc0").code == "E11"


def damage(eif, target, change):
    data = bytearray(eif.read_bytes())
    change(data)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.clear(),
        lambda data: data.__delitem__(slice(300, None)),
        lambda data: data.__delitem__(slice(len(data) // 2, None)),
        lambda data: data.__setitem__(0, 0),
        lambda data: data.__setitem__(len(data) // 2, data[len(data) // 2] ^ 1),
        lambda data: data.__setitem__(7, data[7] ^ 1),
    ],
    ids=["empty", "header", "half", "magic", "one-bit", "architecture"],
)
def test_a_damaged_image_is_e35_and_leaves_nothing(host, eif, tmp_path, change):
    before = host.processes()
    error = launch_refused(host, damage(eif, tmp_path / "bad.eif", change), 512)
    assert error.code == "E35"
    wait_for(lambda: host.processes() <= before)


def test_a_command_that_cannot_run_is_e36(host, workshop):
    from datetime import UTC, datetime

    from nitro_workflow.image import BootParts, build_image

    output = workshop / "nocommand.eif"
    rootfs = workshop / "empty"
    rootfs.mkdir()
    build_image(
        rootfs=rootfs, command=["/no/such"], environment={}, output=output, name="x", version="1",
        boot=BootParts.stand_in(os.uname().machine), build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    error = launch_refused(host, output, 64)
    assert error.code == "E36"
    assert "/no/such" in error.found


def run_command(host, workshop, *command, debug=False, **environment):
    """Run one program of the test image's root filesystem as an enclave."""
    output = workshop / "command.eif"
    build_image(
        rootfs=workshop / "rootfs", command=command, output=output, name="command", version="1",
        environment={"PYTHONHOME": "/usr", **environment}, build_time=datetime(2026, 1, 1, tzinfo=UTC),
        boot=BootParts.stand_in(os.uname().machine),
    )  # fmt: skip
    return LaunchRequest(str(output), 512, 2, debug_mode=debug)


@pytest.mark.parametrize(
    ("command", "environment"),
    [(["/usr/bin/python3", "-c", "a\0b"], {}), (["/usr/bin/python3\0"], {}), (["/x"], {"A": "\0"})],
)
def test_a_nul_in_command_or_environment_is_not_reported_as_started(
    host, workshop, monkeypatch, command, environment
):
    from nitro_workflow.image.ramdisk import file_tree

    # As another packer may write it.
    monkeypatch.setattr(
        file_tree, "_lines", lambda lines, _: "".join(f"{it}\n" for it in lines).encode()
    )
    before = host.processes()
    error = refused(host.client.run_enclave, run_command(host, workshop, *command, **environment))
    assert (error.code, "NUL" in error.found) == ("E36", True)
    wait_for(lambda: host.processes() <= before)


def test_a_program_that_ends_at_once_is_told_with_its_status(host, workshop):
    code = "import sys, time; time.sleep(0.4); print('why it ended'); sys.exit(7)"
    request = run_command(host, workshop, "/usr/bin/python3", "-S", "-c", code)
    error = refused(host.client.run_enclave, request)
    assert (error.code, "status 7" in error.found) == ("E36", True)
    assert "why it ended" not in str(error.to_json())  # a production console is nobody's
    assert "why it ended" in (host.folder / "log").read_text()  # but the keyboard's
    error = refused(host.client.run_enclave, replace(request, debug_mode=True))
    assert "why it ended" in error.found
    code = "import os; os.kill(os.getpid(), 11)"
    request = run_command(host, workshop, "/usr/bin/python3", "-S", "-c", code)
    assert "signal 11" in refused(host.client.run_enclave, request).found


def test_a_program_that_is_done_at_once_was_started(host, workshop):
    request = run_command(host, workshop, "/usr/bin/python3", "-S", "-c", "pass")
    assert host.client.run_enclave(request)["EnclaveID"]


def test_a_script_without_a_first_line_is_the_shells(host, workshop):
    """As AWS's init, whose glibc calls the shell where the kernel says ENOEXEC."""
    shell = workshop / "rootfs" / "bin" / "sh"
    shell.parent.mkdir(exist_ok=True)
    # A shell of our own making: it says how it was called.
    shell.write_text("#!/usr/bin/python3 -S\nimport sys\nprint(sys.argv)\nsys.exit(9)\n")
    shell.chmod(0o755)
    script = workshop / "rootfs" / "entry"
    script.write_text("echo started\n")
    script.chmod(0o755)
    try:
        for name in ("/entry", "entry"):
            request = run_command(host, workshop, name, "one", debug=True, PATH="/no/such:/")
            error = refused(host.client.run_enclave, request)
            assert "status 9" in error.found
            assert "['/bin/sh', '/entry', 'one']" in error.found.replace("//", "/")
    finally:
        shell.unlink()
        script.unlink()


def test_the_same_token_gives_the_same_enclave_while_it_runs(host, eif):
    request = LaunchRequest(str(eif), 512, 2, client_token="t-1")
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(host.client.run_enclave, [request] * 3))
    assert answers == [answers[0]] * 3
    assert refused(host.client.run_enclave, replace(request, memory_mib=514)).code == "E03"
    host.client.terminate_enclave(answers[0]["EnclaveID"])
    again = host.client.run_enclave(request)
    assert again["EnclaveID"] != answers[0]["EnclaveID"]
    host.client.terminate_enclave(again["EnclaveID"])


def test_a_failed_launch_leaves_its_token_free(host, eif, tmp_path):
    path = tmp_path / "late.eif"
    request = LaunchRequest(str(path), 512, 2, client_token="t-2")
    assert refused(host.client.run_enclave, request).code == "E19"
    shutil.copy(eif, path)
    host.client.terminate_enclave(host.client.run_enclave(request)["EnclaveID"])


def test_everything_that_runs_or_was_left_is_listed(own_host, eif):
    client = own_host.client
    assert client.describe_instances() == []
    client.boot_instance(INSTANCE)
    started = client.run_enclave(LaunchRequest(str(eif), 512, 2))
    (listed,) = client.describe_instances()
    assert (listed["InstanceId"], listed["State"]) == (INSTANCE, "running")
    assert listed["Enclaves"] == [{**started, "State": "RUNNING"}]
    (own_host.runtime / "instance" / INSTANCE / "state" / "object").touch()
    client.sweep()
    assert (own_host.runtime / "instance" / INSTANCE / "state" / "object").exists()
    client.stop_instance(INSTANCE)
    assert client.describe_instances() == [
        {"InstanceId": INSTANCE, "State": "stopped", "EndedFor": "", "Enclaves": []}
    ]
    client.sweep()
    assert not (own_host.runtime / "instance" / INSTANCE / "state").exists()


def test_an_instance_that_stops_takes_a_launch_along_that_has_begun(own_host, eif):
    """Interrupted between the two: no enclave is left that nobody knows."""
    client = own_host.client
    client.boot_instance(INSTANCE)
    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(client.run_enclave, LaunchRequest(str(eif), 512, 2))
        wait_for(lambda: launch.done() or client.describe_instances()[0]["Enclaves"])
        client.stop_instance(INSTANCE)
        with contextlib.suppress(HostError):
            launch.result(60)
    assert own_host.processes() == set()


@pytest.mark.parametrize("place", ["state", "vsock", "."])
def test_folders_nested_deeper_than_a_path_hold_nothing_up(own_host, place):
    client = own_host.client
    client.boot_instance(INSTANCE)
    own_host.python(
        f"import os\nos.chdir('/run/instance/{place}')\n"
        "for _ in range(1500):\n os.mkdir('d'); os.chdir('d')"
    )
    client.stop_instance(INSTANCE)
    assert client.boot_instance(INSTANCE)["InstanceId"] == INSTANCE
    client.stop_instance(INSTANCE)
    client.sweep()
    folder = own_host.runtime / "instance" / INSTANCE
    assert not any((folder / name).exists() for name in ("state", "vsock/d", "d"))


def test_the_file_may_change_once_it_was_measured(host, workshop, tmp_path, eif):
    """The administrator swaps the image after launch: what runs and is attested stays the first."""
    path = shutil.copy(eif, tmp_path / "swapped.eif")
    started = host.client.run_enclave(LaunchRequest(str(path), 512, 2))
    Path(path).write_bytes(b"another image")
    code = "result = [nsm.attest().hex(), open('/app.py').read()]"
    document, script = host.ask(started["EnclaveCID"], code)
    host.client.terminate_enclave(started["EnclaveID"])
    assert parse_document(bytes.fromhex(document)).pcrs[0] == measure_file(eif).pcr0
    assert "listener" in script


def test_when_the_program_ends_the_enclave_ends(host, eif):
    started = host.client.run_enclave(LaunchRequest(str(eif), 512, 2, debug_mode=True))
    with pytest.raises(VsockError):
        host.ask(started["EnclaveCID"], "import os; os._exit(5)")
    ids = lambda: {e["EnclaveID"] for e in host.client.describe_enclaves()}  # noqa: E731
    wait_for(lambda: started["EnclaveID"] not in ids())
    assert gone(started["ProcessID"])
    console = host.client.console(started["EnclaveID"])
    assert (console["text"], console["ended"]) == ("started\n", True)


def test_a_production_console_is_not_readable(host, eif):
    started = host.client.run_enclave(LaunchRequest(str(eif), 512, 2))
    assert refused(host.client.console, started["EnclaveID"]).code == "E44"
    host.client.terminate_enclave(started["EnclaveID"])
    assert refused(host.client.console, started["EnclaveID"]).code == "E44"


def test_names_are_numbered(host, eif):
    first = host.client.run_enclave(LaunchRequest(str(eif), 512, 2, "twin"))
    second = host.client.run_enclave(LaunchRequest(str(eif), 512, 2, "twin"))
    assert (first["EnclaveName"], second["EnclaveName"]) == ("twin", "twin_1")
    assert first["EnclaveCID"] != second["EnclaveCID"]
    for it in (first, second):
        host.client.terminate_enclave(it["EnclaveID"])


def test_a_killed_enclave_is_gone_and_another_can_be_run(host, eif):
    started = host.client.run_enclave(LaunchRequest(str(eif), 512, 2, enclave_cid=50))
    os.kill(started["ProcessID"], signal.SIGKILL)
    wait_for(lambda: 50 not in {e["EnclaveCID"] for e in host.client.describe_enclaves()})
    again = host.client.run_enclave(LaunchRequest(str(eif), 512, 2, enclave_cid=50))
    assert host.ask(50, "result = 1") == 1
    host.client.terminate_enclave(again["EnclaveID"])


def test_an_instance_without_enclave_options(own_host, eif):
    own_host.client.boot_instance("i-0123456789abcdef1")
    error = launch_refused(own_host, eif, 512)
    assert error.code == "E19"
    assert "/dev/nitro_enclaves" in error.found


def test_instances_that_are_none(host):
    assert "no instance" in refused(host.client.boot_instance, "i-0123456789abcdef9").found
    assert "terminated" in refused(host.client.boot_instance, "i-0123456789abcdef2").found
    assert refused(host.client.describe_instance, "i-0123456789abcdef9").code == "E39"


def test_stop_takes_the_enclaves_along(own_host, eif):
    own_host.client.boot_instance(INSTANCE)
    started = own_host.client.run_enclave(LaunchRequest(str(eif), 512, 2))
    own_host.client.stop_instance(INSTANCE)
    own_host.client.stop_instance(INSTANCE)
    assert gone(started["ProcessID"])
    assert own_host.client.describe_enclaves() == []
    assert own_host.processes() == set()


def test_a_program_that_ended_is_told_and_the_next_boot_starts_anew(own_host):
    client = own_host.client
    booted = client.boot_instance(INSTANCE)
    pid = booted["Programs"]["parent"]["pid"]
    assert client.boot_instance(INSTANCE)["Programs"]["parent"]["pid"] == pid  # left alone
    own_host.inside("/bin/sh", "-c", f"kill -9 {pid}")
    state = lambda: client.describe_instance(INSTANCE)["Programs"]["parent"]["exit"]  # noqa: E731
    wait_for(lambda: state() is not None)
    assert state() == -9
    (own_host.runtime / "instance" / INSTANCE / "state" / "kept").touch()
    assert client.boot_instance(INSTANCE)["Programs"]["parent"]["exit"] is None
    assert (own_host.runtime / "instance" / INSTANCE / "state" / "kept").exists()


def test_a_parent_that_does_not_start_says_its_last_lines(sandboxed, workshop):
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    script = workshop / "broken.py"
    script.write_text("raise SystemExit('no configuration')")
    it = Host(folder, script)
    try:
        error = refused(it.client.boot_instance, INSTANCE)
        assert "no configuration" in error.found
        assert it.processes() == set()
    finally:
        it.stop()
        shutil.rmtree(folder)


def test_a_killed_hypervisor_takes_all_along_and_the_next_one_starts(own_host, eif):
    own_host.client.boot_instance(INSTANCE)
    own_host.client.run_enclave(LaunchRequest(str(eif), 512, 2))
    below = own_host.processes()
    assert len(below) >= 6
    own_host.process.kill()
    own_host.process.wait()
    wait_for(lambda: all(gone(pid) for pid in below))
    error = refused(own_host.client.ping)
    assert error.code == "E39"
    own_host.process = own_host.start()  # over the folder that the killed one left
    assert own_host.client.describe_enclaves() == []
    own_host.client.boot_instance(INSTANCE)
    started = own_host.client.run_enclave(LaunchRequest(str(eif), 512, 2))
    assert own_host.ask(started["EnclaveCID"], "result = 1") == 1


def test_a_stopped_hypervisor_leaves_no_process_socket_or_mount(own_host, eif):
    mounts = Path("/proc/self/mounts").read_text()
    own_host.client.boot_instance(INSTANCE)
    own_host.client.run_enclave(LaunchRequest(str(eif), 512, 2))
    below = own_host.processes()
    own_host.stop()
    assert all(gone(pid) for pid in below)
    assert not (own_host.runtime / "hypervisor.sock").exists()
    assert Path("/proc/self/mounts").read_text() == mounts


def test_one_hypervisor_for_a_lab(own_host):
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "nitro_workflow.host.control.hypervisor", "--lab", own_host.folder / "lab",
         "--runtime", own_host.runtime, "--application", "parent.py"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert "another hypervisor" in done.stderr
    own_host.client.ping()


def test_the_root_certificate_is_on_disk_and_its_key_is_not(own_host):
    from cryptography import x509

    pem = (own_host.folder / "lab" / "hypervisor" / "root.pem").read_bytes()
    root = x509.load_pem_x509_certificate(pem)
    assert root.subject == root.issuer
    files = [it for it in own_host.folder.rglob("*") if it.is_file()]
    assert not any(b"PRIVATE KEY" in it.read_bytes() for it in files)


def signed(workshop, days):
    """An EIF with a certificate that ends so many days from now."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from nitro_workflow.image import signing_key_from_pem

    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "developer")])
    end = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(end - timedelta(days=30)).not_valid_after(end)
        .sign(key, hashes.SHA384())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return images.build(
        workshop, ASKED, name=f"signed{days}", signing=signing_key_from_pem(pem, private)
    )


def test_a_signed_image_runs_with_pcr8_and_an_expired_certificate_is_e59(host, workshop, eif):
    path = signed(workshop, 10)
    started = host.client.run_enclave(LaunchRequest(str(path), 512, 2, debug_mode=True))
    document = host.ask(started["EnclaveCID"], "result = nsm.attest().hex()")
    host.client.terminate_enclave(started["EnclaveID"])
    assert parse_document(bytes.fromhex(document)).pcrs[8] == measure_file(path).pcr8
    assert launch_refused(host, signed(workshop, -1), 512).code == "E59"
