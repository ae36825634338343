"""The templates of an export as other people's tools read them: cfn-lint, python-hcl2."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.lab import Lab, export_facts, exported_files, write_folder
from nitro_workflow.policy import analyse, parse_policy
from tests.interop.peers import Unbuilt, python_program

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
DATA, COMPUTE = "555566667777", "888899990000"
PLACES = {
    ("aws_iam_role", "owner", "assume_role_policy"): "trust-owner",
    ("aws_iam_role", "developer", "assume_role_policy"): "trust-developer",
    ("aws_iam_role", "administrator", "assume_role_policy"): "trust-administrator",
    ("aws_iam_role", "instance", "assume_role_policy"): "trust-instance",
    ("aws_iam_role_policy", "owner", "policy"): "owner",
    ("aws_iam_role_policy", "developer", "policy"): "developer",
    ("aws_iam_role_policy", "administrator", "policy"): "administrator",
    ("aws_iam_role_policy", "instance", "policy"): "instance",
    ("aws_s3_bucket_policy", "data", "policy"): "bucket-policy",
    ("aws_s3_bucket_policy", "images", "policy"): "images-bucket-policy",
    ("aws_kms_key", "data", "policy"): "key-policy",
    ("aws_kms_key", "results", "policy"): "results-key-policy",
}


@pytest.fixture(scope="module", params=["known", "asked"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export, with and without the operator's accounts."""
    folder = tmp_path_factory.mktemp("export")
    lab = Lab.open(folder / "lab", host="sandbox")
    accounts = (
        {"data_account": DATA, "compute_account": COMPUTE} if request.param == "known" else {}
    )
    facts = export_facts(
        lab.bench, name="payments", region="eu-central-1", machine="x86_64",
        measured={"image": {"PCR0": "a1" * 48, "PCR1": "b2" * 48, "PCR2": "c3" * 48}}, **accounts,
    )  # fmt: skip
    write_folder(folder / "out", exported_files(facts))
    return folder / "out"


@pytest.fixture(scope="module")
def program() -> list[str] | str:
    """Return how the tools are run, or why they are not there."""
    try:
        return python_program(HERE / "export_templates")
    except Unbuilt as unbuilt:
        return f"pip: {unbuilt}"


@pytest.fixture
def said(written: Path, program: list[str] | str, require: Any) -> list[dict[str, Any]]:
    """Return what the tools print of the folder."""
    require("interop", not isinstance(program, str), str(program))
    done = subprocess.run([*program, str(written)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_cfn_lint_has_nothing_to_say(said: list[dict[str, Any]]) -> None:
    rows = [row for row in said if "template" in row]
    assert {row["template"] for row in rows if row["message"] == "read"} == {
        "compute-account.json", "data-account.json", "data-key.json", "results-key.json",
    }  # fmt: skip
    assert [row for row in rows if row["rule"]] == []


def test_cfn_lint_notices_a_slip(written: Path, program: Any, require: Any, tmp_path: Path) -> None:
    """A template with a wrong property: so silence above means something."""
    require("interop", not isinstance(program, str), str(program))
    text = (written / "cloudformation/results-key.json").read_text()
    (tmp_path / "cloudformation").mkdir()
    slipped = text.replace("EnableKeyRotation", "EnableKeyRotations")
    (tmp_path / "cloudformation/results-key.json").write_text(slipped)
    done = subprocess.run([*program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "EnableKeyRotations" in done.stdout


def plain(value: Any) -> Any:
    """Return a value of python-hcl2 without its quotes and marks."""
    if isinstance(value, dict):
        return {
            plain(key): plain(entry) for key, entry in value.items() if not key.startswith("__")
        }
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    text = value
    if isinstance(text, str) and text.startswith('"<<'):  # a here document, as it stood
        text = text.strip('"')
    if isinstance(text, str) and text.startswith("<<"):
        return text.partition("\n")[2].rpartition("\n")[0]
    return text.strip('"') if isinstance(text, str) else text


def resources(said: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return (type, name) → attributes, of all four configurations."""
    found = {}
    for row in said:
        for block in plain(row["read"]).get("resource", ()) if "read" in row else ():
            for kind, named in block.items():
                for name, attributes in named.items():
                    found[kind, name] = attributes
    return found


def test_the_policies_of_terraform_are_the_folders(
    written: Path, said: list[dict[str, Any]]
) -> None:
    """Read back out of the HCL, with its variables put in."""
    plain_policy = json.loads((written / "policies/key-policy.json").read_text())
    pcr3 = re.search(r'PCR3": "([0-9a-f]{96})"', json.dumps(plain_policy))
    owner = re.search(r"iam::(\d{12}):role/payments-owner", json.dumps(plain_policy))
    instance = re.search(r"iam::(\d{12}):role/payments-instance", json.dumps(plain_policy))
    assert pcr3
    assert owner
    assert instance
    data, compute = owner[1], instance[1]
    known = {
        "var.data_account": data, "var.compute_account": compute, "var.region": "eu-central-1",
        "var.pcr3": pcr3[1],
        "var.owner_operator": f"arn:aws:iam::{data}:role/WHO-MAY-BECOME-THE-OWNER",
        "var.developer_operator": f"arn:aws:iam::{compute}:role/WHO-MAY-BECOME-THE-DEVELOPER",
        "var.administrator_operator": f"arn:aws:iam::{compute}:role/WHO-MAY-BECOME-THE-ADMIN",
    }  # fmt: skip
    found = resources(said)
    for (kind, name, attribute), file in PLACES.items():
        text = re.sub(r"\$\{([\w.]+)\}", lambda mark: known[mark[1]], found[kind, name][attribute])
        assert json.loads(text) == json.loads((written / f"policies/{file}.json").read_text()), file
        if kind == "aws_kms_key" and name == "data":
            analysed = analyse(parse_policy(text, name="key policy"), grants=())
            assert set(analysed.answers.values()) == {"none"}
            assert analysed.findings == ()


def test_the_instance_of_terraform_is_one_for_enclaves(said: list[dict[str, Any]]) -> None:
    found = resources(said)
    parent = found["aws_instance", "parent"]
    (enclave,), (metadata,) = parent["enclave_options"], parent["metadata_options"]
    assert enclave["enabled"] is True
    assert metadata["http_tokens"] == "required"
    assert found["aws_s3_bucket_public_access_block", "data"]["restrict_public_buckets"] is True
    assert found["aws_s3_bucket_public_access_block", "images"]["restrict_public_buckets"] is True
    assert not any("ingress" in kind for kind, _ in found)
