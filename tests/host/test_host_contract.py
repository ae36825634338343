"""One contract for every host: sandbox, machine emulator, AWS's nitro-cli, here and by SSM.

Each test runs against every host that this machine has; AWS's nitro-cli is played by
`recorded_nitro_cli.py`, with its own texts and exit statuses, and AWS by `played_aws.py`.
"""

import inspect
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from nitro_workflow.errors import HostError, NitroWorkflowError, VsockError
from nitro_workflow.host import Host, LaunchRequest, QemuHost, installed_blobs
from nitro_workflow.host.ec2 import on_instance
from nitro_workflow.host.nitro_cli import NitroCliHost
from nitro_workflow.host.qemu.qemu_program import find_qemu
from nitro_workflow.image import BootParts
from tests.host import images
from tests.host.conftest import ASKED, INSTANCE
from tests.host.conftest import Host as HypervisorProcess
from tests.host.played_aws import PlayedAws, ec2_host, requests_on

SECONDS = 120  # for a console: what boots by emulation prints late
RUN_KEYS = [
    "EnclaveName", "EnclaveID", "ProcessID", "EnclaveCID", "NumberOfCPUs", "CPUIDs", "MemoryMiB",
]  # fmt: skip
NOBODY = {"E11", "E39", "E58"}
"""No socket of that id (E11), no such name (E58); nothing to ask at all (E39)."""
HOSTS = ["sandbox", "nitro_cli", "ec2", pytest.param("qemu", marks=pytest.mark.interop)]
"""A machine that is emulated takes its time to boot: `make interop` has it."""


def members(kind):
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: it for name, it in found if name[0] != "_"}


@pytest.fixture(scope="module")
def recorded():
    """AWS's nitro-cli, recorded, on a parent instance of constants."""
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    program = folder / "nitro-cli"
    shutil.copy(Path(__file__).with_name("recorded_nitro_cli.py"), program)
    text = program.read_text()
    program.write_text(text.replace("#!/usr/bin/python3", f"#!{sys.executable}", 1))
    program.chmod(0o755)
    (folder / "board_asset_tag").write_text(f"{INSTANCE}\n")
    for name in ("bzImage", "bzImage.config", "cmdline", "init", "nsm.ko"):
        (folder / name).write_bytes(name.encode())
    yield NitroCliHost(
        folder,
        role_arn="arn:aws:iam::444455556666:role/ParentInstance",
        program=program,
        asset_tag=folder / "board_asset_tag",
        blobs=folder,
    )
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def driven(recorded):
    """The same, driven from elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        role = f"arn:aws:sts::444455556666:assumed-role/ParentInstance/{INSTANCE}"
        patch.setattr(on_instance, "_role", lambda: role)
        patch.setenv("NITRO_CLI_BLOBS", str(recorded.blobs))
        host = ec2_host(PlayedAws(INSTANCE, requests_on(recorded, folder)), folder / "records")
        host.boot_instance(INSTANCE)
        yield host
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def booting(workshop):
    """A hypervisor whose enclaves are QEMU's machines."""
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    process = HypervisorProcess(folder, workshop / "parent.py", "qemu")
    process.client = QemuHost(process.runtime)
    process.client.boot_instance(INSTANCE)
    yield process.client
    process.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bootable(workshop):
    """The image of the other tests, with a kernel and init that boot."""
    boot = BootParts.from_blobs(installed_blobs())
    return images.build(workshop, ASKED, name="bootable", boot=boot)


@pytest.fixture
def eif(request, eif):
    """An image that the host at hand can run."""
    return request.getfixturevalue("bootable") if "qemu" in request.node.name else eif


@pytest.fixture(params=HOSTS)
def it(request, require):
    """A host with one running instance and no enclave."""
    if request.param == "sandbox":
        found = request.getfixturevalue("host").client
    elif request.param == "qemu":
        try:
            find_qemu()
            installed_blobs()
        except HostError as error:
            require("qemu", False, error.next)
        found = request.getfixturevalue("booting")
    else:
        found = request.getfixturevalue({"nitro_cli": "recorded", "ec2": "driven"}[request.param])
    before = {one["EnclaveID"] for one in found.describe_enclaves()}
    yield found
    for one in found.describe_enclaves():
        if one["EnclaveID"] not in before:
            found.terminate_enclave(one["EnclaveID"])


def launch(eif, **more):
    fields = {"memory_mib": 256, "cpu_count": 2, "instance_id": INSTANCE, **more}
    return LaunchRequest(str(eif), **fields)


def code_of(call, *arguments, **named):
    with pytest.raises(HostError) as caught:
        call(*arguments, **named)
    assert caught.value.found
    return caught.value.code


def test_it_gives_the_whole_protocol(it):
    given = members(type(it))
    for name, wanted in members(Host).items():
        asked = {
            key: (p.kind, p.default) for key, p in inspect.signature(wanted).parameters.items()
        }
        found = inspect.signature(given[name]).parameters
        assert {key: (p.kind, p.default) for key, p in found.items()} == asked, name


def test_the_instance(it):
    described = it.describe_instance(INSTANCE)
    assert described["InstanceId"] == INSTANCE
    assert described["RoleArn"].endswith(":role/ParentInstance")
    assert isinstance(described["Sandboxed"], bool)
    assert isinstance(described["Programs"], dict)
    assert described["EndedFor"] == ""
    assert it.boot_instance(INSTANCE)["InstanceId"] == INSTANCE  # it runs: left alone
    listed = {one["InstanceId"]: one for one in it.describe_instances()}
    assert listed[INSTANCE]["State"] == "running"
    with pytest.raises(NitroWorkflowError):
        it.describe_instance("i-00000000000000009")


def test_commands_on_the_instance(it):
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    done = it.run_command(INSTANCE, [sys.executable, "-c", code])
    assert done == {"exit": 7, "stdout": "out\n", "stderr": "err\n"}
    assert it.run_command(INSTANCE, ["/no/such/program"])["exit"] == 127
    slow = [sys.executable, "-c", "import time; time.sleep(30)"]
    assert it.run_command(INSTANCE, slow, timeout=0.5)["exit"] == 124


def test_run_describe_terminate(it, eif):
    started = it.run_enclave(launch(eif, enclave_name="contract"))
    assert list(started) == RUN_KEYS
    assert started["EnclaveName"] == "contract"
    assert started["EnclaveID"].startswith(f"{INSTANCE}-enc")
    assert started["EnclaveCID"] > 3
    assert started["NumberOfCPUs"] == len(started["CPUIDs"]) == 2
    assert started["MemoryMiB"] >= 256
    listed = {one["EnclaveID"]: one for one in it.describe_enclaves()}[started["EnclaveID"]]
    assert (listed["State"], listed["Flags"]) == ("RUNNING", "NONE")
    assert {"PCR0", "PCR1", "PCR2", "HashAlgorithm"} <= set(listed["Measurements"])
    assert "Metadata" not in listed
    more = {one["EnclaveID"]: one for one in it.describe_enclaves(metadata=True)}
    assert "Metadata" in more[started["EnclaveID"]]
    ended = it.terminate_enclave(started["EnclaveID"])
    expected = {"EnclaveName": "contract", "EnclaveID": started["EnclaveID"], "Terminated": True}
    assert ended == expected
    assert started["EnclaveID"] not in {one["EnclaveID"] for one in it.describe_enclaves()}
    assert code_of(it.terminate_enclave, started["EnclaveID"]) in NOBODY


def test_names_cids_and_cpus(it, eif):
    taken = {cpu for one in it.describe_enclaves() for cpu in one["CPUIDs"]}
    free = [cpu for cpu in (1, 3, 5, 7) if cpu not in taken][:2]
    first = it.run_enclave(launch(eif, cpu_count=None, cpu_ids=tuple(free), enclave_cid=77))
    assert (first["EnclaveCID"], first["CPUIDs"]) == (77, free)
    second = it.run_enclave(launch(eif, enclave_name=first["EnclaveName"]))
    assert second["EnclaveName"] == f"{first['EnclaveName']}_1"
    assert it.terminate_enclave(enclave_name=second["EnclaveName"])["Terminated"] is True


def test_the_same_token_gives_the_same_enclave(it, eif):
    request = launch(eif, client_token="one")
    started = it.run_enclave(request)
    assert it.run_enclave(request) == started
    assert code_of(it.run_enclave, launch(eif, client_token="one", memory_mib=512)) == "E03"
    it.terminate_enclave(started["EnclaveID"])
    again = it.run_enclave(request)
    assert again["EnclaveID"] != started["EnclaveID"]


def test_what_cannot_be_launched(it, eif, tmp_path):
    (tmp_path / "text.eif").write_text("no image" * 100)
    assert code_of(it.run_enclave, launch(tmp_path / "absent.eif")) == "E19"
    assert code_of(it.run_enclave, launch(tmp_path / "text.eif")) == "E35"
    assert code_of(it.run_enclave, launch(eif, memory_mib=64)) == "E26"
    assert code_of(it.run_enclave, launch(eif, cpu_count=400)) == "E22"
    assert code_of(it.run_enclave, launch(eif, cpu_count=None, cpu_ids=(1, 1))) == "E20"
    assert code_of(it.run_enclave, launch(eif, cpu_count=None, cpu_ids=(1, 3999))) == "E21"
    assert code_of(it.run_enclave, launch(eif, enclave_cid=3)) == "E03"
    assert code_of(it.run_enclave, launch(eif, instance_id="i-00000000000000009")) == "E39"


def test_a_debug_enclaves_console(it, eif):
    started = it.run_enclave(launch(eif, debug_mode=True))
    deadline = time.monotonic() + SECONDS
    seen, offset = "", 0
    while "started" not in seen and time.monotonic() < deadline:
        answer = it.console(started["EnclaveID"], offset=offset)
        seen, offset = seen + answer["text"], answer["offset"]
        assert answer["ended"] is False
    assert "started" in seen
    assert it.console(enclave_name=started["EnclaveName"])["text"].startswith(seen[:5])
    it.terminate_enclave(started["EnclaveID"])
    while not (answer := it.console(started["EnclaveID"], offset=0))["ended"]:
        assert time.monotonic() < deadline + SECONDS
        time.sleep(0.05)
    assert "started" in answer["text"]  # the last words of one that has ended


def test_a_production_enclave_has_no_console(it, eif):
    started = it.run_enclave(launch(eif))
    assert code_of(it.console, started["EnclaveID"]) == "E44"


def test_nobody_of_that_name(it):
    assert code_of(it.terminate_enclave, "i-0123456789abcdef0-enc0000000000000000") in NOBODY
    assert code_of(it.terminate_enclave, enclave_name="nobody") in NOBODY
    assert code_of(it.console, "i-0123456789abcdef0-enc0000000000000000") in NOBODY


def test_what_stands_around_it(it):
    assert it.limits()
    assert all(path.startswith("/") for path in it.control_paths())
    assert isinstance(it.boot_parts(), BootParts)
    from cryptography import x509

    root = x509.load_der_x509_certificate(it.attestation_root())
    assert root.issuer == root.subject
    assert isinstance(it.trace(INSTANCE), list)
    assert it.trace("i-00000000000000009") == []
    assert set(it.logs(INSTANCE)) == {"instance", "parent", "proxy"}
    with pytest.raises(VsockError):
        it.vsock(INSTANCE).connect(4_000_000, 9, 0.5)
    with pytest.raises(HostError) as caught:
        NitroCliHost(Path("/nowhere")).channel(INSTANCE).ask({"op": "ping"})
    assert caught.value.code == "ParentUnavailable"


def test_stopping_what_does_not_run_is_nothing(it):
    it.stop_instance("i-00000000000000009")
    it.sweep()
    assert it.describe_instance(INSTANCE)["InstanceId"] == INSTANCE
