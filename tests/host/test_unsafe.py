"""Without a sandbox, because someone asked for it by an unsafe name: works, and says so."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import HostError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.image import measure_file
from tests.host.conftest import INSTANCE, Host


@pytest.fixture
def unsafe_host(workshop):
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = Host(folder, workshop / "parent.py", "unsafe")
    yield it
    it.stop()
    assert not it.processes()
    assert not any(it.runtime.glob("unsafe/*"))
    shutil.rmtree(folder)


def test_it_runs_and_says_that_there_is_no_boundary(unsafe_host, eif):
    client = unsafe_host.client
    assert client.ping()["sandboxed"] is False
    assert client.boot_instance(INSTANCE)["Sandboxed"] is False
    started = client.run_enclave(LaunchRequest(str(eif), 512, 2, debug_mode=True))
    code = "result = [nsm.attest().hex(), os.environ['NITRO_WORKFLOW_UNSAFE_ROOT'], at_start]"
    document, root, descriptors = unsafe_host.ask(started["EnclaveCID"], code)
    assert parse_document(bytes.fromhex(document)).pcrs[4] != bytes(48)
    assert root.startswith(str(unsafe_host.runtime))
    assert descriptors == ["0", "1", "2", "3", "4"]
    # What is not there: it sees this machine's files.
    seen = f"import os; result = os.path.exists({str(unsafe_host.folder / 'lab')!r})"
    assert unsafe_host.ask(started["EnclaveCID"], seen) is True
    assert unsafe_host.python("print(6 * 7)") == "42"


def test_measuring_and_codes_are_the_same(unsafe_host, eif, tmp_path):
    client = unsafe_host.client
    client.boot_instance(INSTANCE)
    broken = tmp_path / "broken.eif"
    broken.write_bytes(eif.read_bytes()[:-1])
    with pytest.raises(HostError) as caught:
        client.run_enclave(LaunchRequest(str(broken), 512, 2))
    assert caught.value.code == "E35"
    started = client.run_enclave(LaunchRequest(str(eif), 512, 2))
    code = "result = nsm.attest().hex()"
    document = unsafe_host.ask(started["EnclaveCID"], code)
    assert parse_document(bytes.fromhex(document)).pcrs[0] == measure_file(eif).pcr0


def test_what_the_program_left_ends_with_it(unsafe_host, eif):
    unsafe_host.client.boot_instance(INSTANCE)
    before = unsafe_host.processes()
    started = unsafe_host.client.run_enclave(LaunchRequest(str(eif), 512, 2))
    code = "import subprocess; subprocess.Popen(['/bin/sleep', '999'], start_new_session=True); result = 1"
    unsafe_host.ask(started["EnclaveCID"], code)
    assert len(unsafe_host.processes() - before) >= 3
    unsafe_host.client.terminate_enclave(started["EnclaveID"])
    assert unsafe_host.processes() <= before


def test_the_option_has_an_unsafe_name():
    done = subprocess.run(
        [sys.executable, "-m", "nitro_workflow.host.control.hypervisor", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--unsafe-without-sandbox" in done.stdout
