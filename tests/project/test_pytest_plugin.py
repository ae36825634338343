"""The pytest plugin, as another project's tests use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

SUITE = """
from datetime import UTC, datetime, timedelta

import pytest

from nitro_workflow import parse_document
from nitro_workflow.attestation import Expected, exactly
from nitro_workflow.errors import VerificationError

NOW = datetime.now(UTC)
MINE = Expected(pcrs=exactly({0: b"\\x07" * 48}, "mine"))


def test_documents_good_and_bad(attestation_document):
    verifier = attestation_document.verifier
    good = attestation_document(pcrs={0: b"\\x07" * 48}, nonce=b"n", user_data=b"u")
    assert verifier.verify(good, at=datetime.now(UTC), expected=MINE).matched == "mine"
    assert (parse_document(good).nonce, parse_document(good).user_data) == (b"n", b"u")
    old = attestation_document(pcrs={0: b"\\x07" * 48}, at=NOW - timedelta(days=1))
    for bad in (attestation_document(), attestation_document(debug=True), old):
        with pytest.raises(VerificationError):
            verifier.verify(bad, at=datetime.now(UTC), expected=MINE)
    assert not any(parse_document(attestation_document(debug=True)).pcrs[0])
    assert attestation_document.root[:1] == b"\\x30"


def test_the_cloud_answers(nitro_cloud):
    account = sorted(nitro_cloud.keys)[0]
    with nitro_cloud.client("kms", account) as kms:
        arn = kms.create_key()["KeyMetadata"]["Arn"]
        assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Enabled"]


def test_the_lab_runs_a_step(nitro_lab):
    assert nitro_lab.run("P1").error is None
"""


def test_the_fixtures_work_in_another_projects_tests(tmp_path):
    (tmp_path / "test_mine.py").write_text(SUITE)
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
        *("-p", "nitro_workflow.pytest_plugin", "--rootdir", str(tmp_path), str(tmp_path)),
    ]
    (tmp_path / "run").mkdir()
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    environment |= {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert list((tmp_path / "run").glob("nitro-workflow/*")) == [], "no socket is left"


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
