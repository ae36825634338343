"""The pytest plugin, as another project's tests use it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nitro_workflow.errors import CloudUnavailable, SandboxUnavailable
from nitro_workflow.host import require_sandbox, supervision_problem
from nitro_workflow.testing import served_cloud

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

DOCUMENTS = """
from datetime import UTC, datetime, timedelta

import pytest

from nitro_workflow import parse_document
from nitro_workflow.attestation import Expected, exactly
from nitro_workflow.errors import UsageError, VerificationError

NOW = datetime.now(UTC)
MINE = Expected(pcrs=exactly({0: b"\\x07" * 48}, "mine"))


def test_documents_good_and_bad(attestation_document):
    verifier = attestation_document.verifier
    good = attestation_document(pcrs={0: b"\\x07" * 48}, nonce=b"n", user_data=b"u")
    assert verifier.verify(good, at=datetime.now(UTC), expected=MINE).matched == "mine"
    assert (parse_document(good).nonce, parse_document(good).user_data) == (b"n", b"u")
    hexed = attestation_document(pcrs={0: "07" * 48})
    assert verifier.verify(hexed, at=datetime.now(UTC), expected=MINE).matched == "mine"
    old = attestation_document(pcrs={0: b"\\x07" * 48}, at=NOW - timedelta(days=1))
    for bad in (attestation_document(), attestation_document(debug=True), old):
        with pytest.raises(VerificationError):
            verifier.verify(bad, at=datetime.now(UTC), expected=MINE)
    debug = attestation_document(pcrs={0: b"\\x07" * 48, 4: b"\\x08" * 48}, debug=True)
    assert not any(parse_document(debug).pcrs[0])
    assert any(parse_document(debug).pcrs[4])
    assert attestation_document.root[:1] == b"\\x30"


def test_what_no_document_can_be(attestation_document):
    with pytest.raises(UsageError):
        attestation_document(pcrs={0: b"short"})
    with pytest.raises(ValueError):
        attestation_document(pcrs={0: "no hex"})
"""

CLOUD = """
import json

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
PCR0 = "0a" * 48


def key_with_policy(kms):
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    condition = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": PCR0}}
    rows = [
        {"Effect": "Allow", "Principal": root, "Resource": "*",
         "Action": ["kms:Put*", "kms:Describe*", "kms:GenerateDataKey"]},
        {"Effect": "Allow", "Principal": root, "Resource": "*", "Action": "kms:Decrypt",
         "Condition": condition},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": rows})
    return kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]


def test_only_the_image_decrypts(nitro_cloud, attested_kms):
    with nitro_cloud.client("kms", ACCOUNT) as kms:
        arn = key_with_policy(kms)
        made = kms.generate_data_key(KeyId=arn, KeySpec="AES_256")
        ask = {"CiphertextBlob": made["CiphertextBlob"], "KeyId": arn}
        with pytest.raises(ClientError, match="AccessDenied"):
            kms.decrypt(**ask)
    assert attested_kms(pcrs={0: PCR0}).decrypt(**ask)["Plaintext"] == made["Plaintext"]
    assert attested_kms(pcrs={0: bytes([10]) * 48}).decrypt(**ask)["Plaintext"] == made["Plaintext"]
    for other in ({"pcrs": {0: "0b" * 48}}, {"pcrs": {0: PCR0}, "debug": True}, {}):
        with pytest.raises(ClientError, match="AccessDenied"):
            attested_kms(**other).decrypt(**ask)


def test_a_client_of_another_session(nitro_cloud, attested_kms):
    session = nitro_cloud.session("444455556666")
    assert attested_kms(session=session).list_keys()["Keys"] == []


def test_documents_of_another_root_are_not_believed(nitro_cloud, attestation_document):
    from datetime import UTC, datetime
    from nitro_workflow.testing import AttestedKms, DocumentMaker

    other = AttestedKms(nitro_cloud, DocumentMaker.new(datetime.now(UTC)))
    with pytest.raises(ClientError, match="ValidationException"):
        other().generate_random(NumberOfBytes=8)
    other.close()
"""

LAB = """
def test_the_lab_runs_a_step(nitro_lab):
    assert nitro_lab.run("P1").error is None
"""

ENCLAVES = """
import time
from datetime import UTC, datetime

import pytest

from nitro_workflow.attestation import Expected, from_measurements
from nitro_workflow.errors import HostError, VsockError

IMAGE = {image!r}


def answer(enclave):
    with enclave.connect(7) as connection:
        return connection.makefile("rb").read()


def test_an_image_runs_and_attests(nitro_enclave):
    enclave = nitro_enclave(IMAGE, memory_mib=64)
    expected = Expected(pcrs=from_measurements(enclave.measurements, "the file"))
    document = answer(enclave)
    verified = nitro_enclave.verifier.verify(document, at=datetime.now(UTC), expected=expected)
    assert (verified.matched, enclave.name) == ("the file", "attester")
    with pytest.raises(HostError):
        enclave.console()
    with pytest.raises(VsockError):
        enclave.connect(8, timeout=0.2)


def test_it_ended_with_its_test_and_debug_can_be_read(nitro_enclave, nitro_lab):
    enclave = nitro_enclave(IMAGE, memory_mib=64, debug=True)
    assert answer(enclave)
    until = time.monotonic() + 300
    while "listening on vsock port 7" not in enclave.console():  # it is read beside
        assert time.monotonic() < until, enclave.console()
        time.sleep(0.05)
    enclave.terminate()
    enclave.terminate()
    with pytest.raises(VsockError):
        enclave.connect(7, timeout=0.2)


def test_what_cannot_be_launched_says_why(nitro_enclave):
    with pytest.raises(HostError) as refused:
        nitro_enclave(IMAGE, memory_mib=1)
    assert refused.value.code.startswith("E")
"""


@pytest.fixture
def passes(pytester, monkeypatch, tmp_path):
    """Return what runs a suite as another project does, and says that all of it passed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("NITRO_WORKFLOW_LAB", raising=False)

    def run(suite: str, count: int) -> None:
        pytester.makepyfile(test_mine=suite)
        done = pytester.runpytest_subprocess(
            *("-p", "nitro_workflow.pytest_plugin", "-p", "no:cacheprovider", "-W", "error"),
            # botocore keeps its pooled connections until the process ends
            *("-W", "ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
        )
        done.assert_outcomes(passed=count)
        assert list(tmp_path.glob("nitro-workflow/*")) == [], "no socket is left"

    return run


def test_documents(passes):
    passes(DOCUMENTS, 2)


def test_a_cloud_and_attested_clients(passes):
    passes(CLOUD, 3)


def test_a_lab(passes):
    passes(LAB, 1)


@pytest.mark.sandbox
def test_enclaves(passes, require, tmp_path_factory):
    try:
        require_sandbox()
    except SandboxUnavailable as error:
        require("sandbox", False, error.next)
    problem = supervision_problem()
    require("supervisor", problem is None, problem or "")
    require("cc", shutil.which("gcc") is not None, "apt-get install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("attester") / "attester"
    shutil.copytree(ROOT / "docs" / "examples" / "attester", folder)
    gcc = ["gcc", "-static", "-O2", "-o", "attester", "attester.c"]
    subprocess.run(gcc, cwd=folder, check=True)
    build = [sys.executable, "-m", "nitro_workflow.cli", "nitro-cli", "build-enclave"]
    build += ["--docker-dir", ".", "--docker-uri", "attester:v1", "--output-file", "attester.eif"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    passes(ENCLAVES.format(image=str(folder / "attester.eif")), 3)


def test_a_cloud_that_cannot_start_says_why(tmp_path, attestation_root):
    (tmp_path / "cloud").write_text("a file where a folder is needed")
    with (
        pytest.raises(CloudUnavailable, match="did not start") as caught,
        served_cloud(tmp_path, attestation_root),
    ):
        pytest.fail("it started")
    assert caught.value.next


@pytest.fixture
def attestation_root():
    from datetime import UTC, datetime

    from nitro_workflow.testing import DocumentMaker

    return DocumentMaker.new(datetime.now(UTC)).root


def test_it_is_pytests_to_find_and_loads_nothing_until_it_is_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"nitro_workflow": "nitro_workflow.pytest_plugin"}
    code = (
        "import sys, json, pytest; before = set(sys.modules); import nitro_workflow.pytest_plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {
        "nitro_workflow",
        "nitro_workflow.lazy",
        "nitro_workflow.pytest_plugin",
        "nitro_workflow.version",
    }
