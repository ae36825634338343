"""`nitro-workflow export`: the files are what they say, and our own analysis finds nothing in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from nitro_workflow.attestation import pcr3
from nitro_workflow.cli import cli
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.host.rules import parse_allocator
from nitro_workflow.lab import Lab, export_facts, exported_files, refuse_findings, write_folder
from nitro_workflow.lab.export import export_policies
from nitro_workflow.lab.export.export_files import FILES
from nitro_workflow.lab.step_result import StepResult
from nitro_workflow.policy import analyse, find_policies, parse_policy
from nitro_workflow.vsock.allowlist import parse_allowlist

DATA, COMPUTE = "555566667777", "888899990000"
PCRS = [
    {"PCR0": a * 48, "PCR1": b * 48, "PCR2": c * 48}
    for a, b, c in (("a1", "b2", "c3"), ("d4", "e5", "f6"))
]
ROLES = ("owner", "developer", "administrator", "instance")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab that has measured an image; nothing runs."""
    opened = Lab.open(tmp_path_factory.mktemp("lab") / "lab", host="sandbox")
    pcrs = {str(n): PCRS[0][f"PCR{n}"] for n in range(3)}
    done = StepResult("P6", "data owner", "Measure", "done", 0.1, {}, produced={"pcrs": pcrs})
    opened.bench.folder.keep("P6", done.to_record())
    return opened


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def written(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export for accounts of an operator's own, with two images."""
    folder = tmp_path_factory.mktemp("export")
    for number, one in enumerate(PCRS):
        (folder / f"{number}.json").write_text(json.dumps({"Measurements": one}))
    done = run(
        "export", folder / "out", "--lab", lab.path, "--name", "payments", "--region", "eu-central-1",
        "--data-account", DATA, "--compute-account", COMPUTE,
        "--pcrs", folder / "0.json", "--pcrs", folder / "1.json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return folder / "out"


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


# -- what is written -------------------------------------------------------------------------------


def test_every_file_is_named_in_the_readme_and_holds_no_mark(written: Path) -> None:
    found = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}
    assert found == {*FILES, "measurements/image-1.json", "measurements/image-2.json"}
    readme = (written / "README.md").read_text()
    assert all(f"| `{name}` |" in readme for name in found)
    for name in found:
        assert not re.search(r"@[a-z][a-z0-9-]*@", (written / name).read_text()), name
    assert os.access(written / "ci/gate.sh", os.X_OK)


def test_the_labs_own_measurement_is_exported_and_said_to_be_worth_nothing_on_aws(
    lab: Lab, tmp_path: Path
) -> None:
    done = run("export", tmp_path / "out", "--lab", lab.path)
    assert done.exit_code == 0, done.output
    policy = read(tmp_path / "out", "policies/key-policy.json")
    assert PCRS[0]["PCR0"] in json.dumps(policy)
    assert "let nobody in on AWS" in done.stderr
    assert "not yours" in done.stderr
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "let nobody in on AWS" in readme
    assert lab.bench.folder.identity in readme
    parameters = read(tmp_path / "out", "cloudformation/data-key.json")["Parameters"]
    assert not [one for one in parameters.values() if "Default" in one], "accounts are not known"


def test_a_lab_that_measured_nothing_says_so(tmp_path: Path) -> None:
    Lab.open(tmp_path / "lab", host="sandbox")
    done = run("export", tmp_path / "out", "--lab", tmp_path / "lab")
    assert isinstance(done.exception, LabError)
    assert "P6" in done.exception.next
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("there", ["file", "full", "link", "here"])
def test_nothing_is_overwritten(
    lab: Lab, tmp_path: Path, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    if there == "file":
        target.write_text("mine")
    elif there == "link":
        (tmp_path / "other").mkdir()
        target.symlink_to(tmp_path / "other")
    else:
        target.mkdir()
    if there == "full":
        (target / "terraform.tfstate").write_text("mine")
    if there == "here":
        monkeypatch.chdir(target)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = run("export", target, "--lab", lab.path)
    assert isinstance(done.exception, UsageError)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    if there == "file":
        assert target.read_text() == "mine"


def test_an_empty_folder_is_taken_and_a_half_written_one_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", {"a/b.sh": b"x", "c": b"y"})
    assert (tmp_path / "out" / "a" / "b.sh").read_bytes() == b"x"

    def fails(path: Path, *_: object, **__: object) -> None:
        if path.name == "second":
            raise OSError(28, "No space left on device")
        path.write_bytes(b"")

    monkeypatch.setattr("nitro_workflow.lab.export.export_folder.write_atomic", fails)
    with pytest.raises(OSError, match="space"):
        write_folder(tmp_path / "new", {"first": b"", "second": b""})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--name", "nitro-workflow-mine"), "nitro-workflow"),
        (("--name", "Payments"), "Payments"),
        (("--region", "cn-north-1"), "cn-north-1"),
        (("--data-account", DATA), "one account of two"),
        (("--data-account", "1", "--compute-account", COMPUTE), "'1'"),
    ],
)
def test_bad_words_are_refused(
    lab: Lab, tmp_path: Path, words: tuple[str, ...], found: str
) -> None:
    done = run("export", tmp_path / "out", "--lab", lab.path, *words)
    assert isinstance(done.exception, UsageError)
    assert found in done.exception.found
    assert not (tmp_path / "out").exists()


# -- the policies ----------------------------------------------------------------------------------


def check_key_policy(text: str) -> None:
    found = analyse(parse_policy(text, name="key policy"), grants=())
    assert set(found.answers.values()) == {"none"}
    assert found.findings == ()


def test_our_analysis_finds_nothing_in_the_policies(written: Path) -> None:
    check_key_policy((written / "policies/key-policy.json").read_text())
    for party in ROLES:
        parse_policy((written / f"policies/{party}.json").read_text(), kind="identity")
        parse_policy((written / f"policies/trust-{party}.json").read_text(), kind="trust")
    for name in ("bucket-policy", "images-bucket-policy", "results-key-policy"):
        parse_policy((written / f"policies/{name}.json").read_text(), kind="resource")


def test_each_image_has_a_statement_and_pcr3_is_the_roles(written: Path) -> None:
    statements = read(written, "policies/key-policy.json")["Statement"]
    inside = [one for one in statements if one["Sid"].startswith("DecryptInsideTheEnclave")]
    seen = [one["Condition"]["StringEqualsIgnoreCase"] for one in inside]
    assert [one["kms:RecipientAttestation:PCR0"] for one in seen] == [one["PCR0"] for one in PCRS]
    role = f"arn:aws:iam::{COMPUTE}:role/payments-instance"
    assert {one["kms:RecipientAttestation:PCR3"] for one in seen} == {pcr3(role).hex()}


@pytest.mark.parametrize(
    "words", [("policies/key-policy.json",), ("cloudformation/data-key.json",)]
)
def test_policy_check_passes(written: Path, words: tuple[str, ...]) -> None:
    files = [written / name for name in words]
    done = run("policy", "check", *files, "--pcrs", written / "measurements/image-2.json", "--fail-on", "low",
               "--fail-on", "path", "--fail-on", "unknown")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "This image gets the plaintext." in done.output


def test_the_results_key_is_its_owners_as_the_page_says(written: Path) -> None:
    done = run("policy", "check", written / "cloudformation/results-key.json")
    assert done.exit_code == 1
    assert "payments-owner" in done.output


def resolved(value: Any, parameters: Mapping[str, str]) -> Any:
    """Return a template's value as CloudFormation would give it."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: parameters[found[1]], value["Fn::Sub"])
    if isinstance(value, dict):
        return {key: resolved(entry, parameters) for key, entry in value.items()}
    if isinstance(value, list):
        return [resolved(entry, parameters) for entry in value]
    return value


def stack_policies(folder: Path, stack: str, account: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (resource, property, policy) of a template, with its parameters put in."""
    template = read(folder, f"cloudformation/{stack}.json")
    defaults = (
        {
            name: str(one["Default"])
            for name, one in template["Parameters"].items()
            if "Default" in one
        }
        if "Parameters" in template
        else {}
    )
    parameters = {
        **defaults, "AWS::AccountId": account, "AWS::Region": "eu-central-1",
        "AlarmTopic": "topic",
        "OwnerOperator": f"arn:aws:iam::{DATA}:role/WHO-MAY-BECOME-THE-OWNER",
        "DeveloperOperator": f"arn:aws:iam::{COMPUTE}:role/WHO-MAY-BECOME-THE-DEVELOPER",
        "AdministratorOperator": f"arn:aws:iam::{COMPUTE}:role/WHO-MAY-BECOME-THE-ADMIN",
    }  # fmt: skip
    for name, resource in template["Resources"].items():
        properties = resolved(resource["Properties"], parameters)
        for key in ("KeyPolicy", "PolicyDocument", "AssumeRolePolicyDocument"):
            if key in properties:
                yield name, key, properties[key]
        for inline in properties.get("Policies", ()):
            yield name, "Policies", inline["PolicyDocument"]


PLACES = {
    ("OwnerRole", "Policies"): "owner",
    ("OwnerRole", "AssumeRolePolicyDocument"): "trust-owner",
    ("DeveloperRole", "Policies"): "developer",
    ("DeveloperRole", "AssumeRolePolicyDocument"): "trust-developer",
    ("AdministratorRole", "Policies"): "administrator",
    ("AdministratorRole", "AssumeRolePolicyDocument"): "trust-administrator",
    ("InstanceRole", "Policies"): "instance",
    ("InstanceRole", "AssumeRolePolicyDocument"): "trust-instance",
    ("ImagesBucketPolicy", "PolicyDocument"): "images-bucket-policy",
    ("DataBucketPolicy", "PolicyDocument"): "bucket-policy",
    ("DataKey", "KeyPolicy"): "key-policy",
    ("ResultsKey", "KeyPolicy"): "results-key-policy",
}


def test_the_templates_hold_the_very_policies_of_the_folder(written: Path) -> None:
    accounts = {
        "compute-account": COMPUTE,
        "data-account": DATA,
        "data-key": DATA,
        "results-key": DATA,
    }
    found = {
        (name, key): policy
        for stack, account in accounts.items()
        for name, key, policy in stack_policies(written, stack, account)
    }
    topic = found.pop(("AlarmTopicPolicy", "PolicyDocument"))
    assert topic["Statement"][0]["Resource"] == "topic"
    assert found.keys() == PLACES.keys()
    for place, policy in found.items():
        assert policy == read(written, f"policies/{PLACES[place]}.json"), place


def test_a_key_of_the_template_is_read_as_our_command_reads_it(written: Path) -> None:
    (source,) = find_policies(
        (written / "cloudformation/data-key.json").read_bytes(), where="template"
    )
    assert source.resource == "DataKey"


def test_a_finding_stops_the_export(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = export_facts(lab.bench, name="payments")
    refuse_findings(facts)
    more = {"Sid": "Slip", "Effect": "Allow", "Action": "iam:*", "Resource": "*"}
    with monkeypatch.context() as slipped:
        slipped.setattr(export_policies, "further_permissions", lambda *_, **__: (more,))
        with pytest.raises(LabError, match="PutRolePolicy"):
            refuse_findings(facts)
    with monkeypatch.context() as open_key:
        real = export_policies.fenced_key_policy
        root = {
            "Effect": "Allow",
            "Principal": {"AWS": "111122223333"},
            "Action": "kms:*",
            "Resource": "*",
        }

        def wide(*given: Any) -> dict[str, Any]:
            policy = real(*given)
            kept = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
            return {**policy, "Statement": [*kept, root]}

        open_key.setattr(export_policies, "fenced_key_policy", wide)
        with pytest.raises(LabError, match="path"):
            refuse_findings(facts)


def test_one_account_is_a_set_up_too(lab: Lab) -> None:
    facts = export_facts(lab.bench, name="payments", data_account=DATA, compute_account=DATA)
    files = exported_files(facts)
    refuse_findings(facts)
    check_key_policy(files["policies/key-policy.json"].decode())
    assert (
        f"arn:aws:iam::{DATA}:role/payments-instance".encode() in files["policies/key-policy.json"]
    )


# -- the rest of the set-up ------------------------------------------------------------------------


def test_the_buckets_are_shut_and_the_instance_is_one_for_enclaves(written: Path) -> None:
    compute, data = (
        read(written, f"cloudformation/{stack}.json")["Resources"]
        for stack in ("compute-account", "data-account")
    )
    for bucket in (compute["ImagesBucket"], data["DataBucket"]):
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["DeletionPolicy"] == "Retain"
    launch = compute["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    assert launch["EnclaveOptions"] == {"Enabled": True}
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    assert "SecurityGroupIngress" not in compute["SecurityGroup"]["Properties"]
    tags = {one["Key"]: one["Value"] for one in compute["ParentInstance"]["Properties"]["Tags"]}
    commanded = json.dumps(read(written, "policies/administrator.json"))
    assert f'"ssm:resourceTag/{export_policies.TAG}": "{tags[export_policies.TAG]}"' in commanded


def test_the_yaml_files_are_what_their_readers_take(written: Path) -> None:
    pool = parse_allocator(
        (written / "instance/allocator.yaml").read_text(), Path("allocator.yaml")
    )
    assert (pool.memory_mib, len(pool.cpus)) == (1024, 2)
    (remote,) = parse_allowlist((written / "instance/vsock-proxy.yaml").read_text())
    assert (remote.address, remote.port) == ("kms.eu-central-1.amazonaws.com", 443)
    job = yaml.safe_load((written / "ci/enclave-release.yml").read_text())
    assert "./ci/gate.sh IMAGE.eif" in [step.get("run") for step in job["jobs"]["gate"]["steps"]]


def test_the_parents_start_is_a_script_that_neither_ends_it_nor_takes_a_program(
    written: Path, require: Any
) -> None:
    script = written / "instance/user-data.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "shutdown" not in text
    assert "s3api" not in text
    assert (written / "instance/vsock-proxy.yaml").read_text() in text
    launch = read(written, "cloudformation/compute-account.json")["Resources"]["LaunchTemplate"]
    assert launch["Properties"]["LaunchTemplateData"]["UserData"] == {"Fn::Base64": text}
    require("shellcheck", shutil.which("shellcheck") is not None, "apt-get install shellcheck")
    for path in (script, written / "ci/gate.sh"):
        done = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_nothing_of_the_folder_is_secret_or_of_this_machine(written: Path, lab: Lab) -> None:
    for path in written.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "PRIVATE KEY" not in text
            assert str(lab.path) not in text
            assert not re.search(r"\bAKIA[0-9A-Z]{16}\b", text)


def test_facts_that_differ_in_name_share_no_name(lab: Lab) -> None:
    facts = export_facts(lab.bench, name="payments")
    other = exported_files(replace(facts, name="ledger"))
    text = b"".join(other.values())
    assert b"payments" not in text


# -- the gate --------------------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    """Return what runs the gate with `nitro-workflow` on PATH, for an image of that PCR0."""
    programs = tmp_path / "bin"
    programs.mkdir()
    real = "import sys; sys.argv[0] = 'nitro-workflow'; from nitro_workflow.cli import main; main()"
    (programs / "nitro-workflow").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{real}" "$@"\n')
    (programs / "nitro-workflow").chmod(0o755)

    def run_gate(folder: Path, image: Path) -> subprocess.CompletedProcess[str]:
        path = f"{programs}:{os.environ['PATH']}"
        return subprocess.run(
            [folder / "ci/gate.sh", image.name], cwd=image.parent, env={**os.environ, "PATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run_gate


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return an image, small and of stand-in parts."""
    from nitro_workflow.image import BootParts, build_image

    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs" / "app").write_bytes(b"\x7fELF")
    built = build_image(
        rootfs=tmp_path / "rootfs", command=("/app",), environment={}, output=tmp_path / "app.eif",
        name="app", version="1", boot=BootParts.stand_in(),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return built.path


def test_the_gate_is_shut_for_an_image_that_was_not_looked_at(
    gate: Any, written: Path, image: Path
) -> None:
    done = gate(written, image)
    assert done.returncode == 1
    assert "is none of measurements/" in done.stderr


def test_the_gate_opens_for_the_image_and_not_for_a_policy_with_a_way_round(
    gate: Any, lab: Lab, image: Path, tmp_path: Path
) -> None:
    measured = run("image", "measure", "--json", image).output
    (tmp_path / "image.json").write_text(measured)
    folder = tmp_path / "out"
    done = run("export", folder, "--lab", lab.path, "--pcrs", tmp_path / "image.json")
    assert done.exit_code == 0, done.output
    opened = gate(folder, image)
    assert opened.returncode == 0, opened.stdout + opened.stderr
    policy = folder / "policies/key-policy.json"
    right = policy.read_text()
    policy.write_text(
        right.replace("kms:DescribeKey", "kms:Decrypt").replace("NotEquals", "Equals")
    )
    assert gate(folder, image).returncode == 1
    swapped = {"PCR0": "PCR1", "PCR1": "PCR0"}
    policy.write_text(re.sub(r"\bPCR[01]\b", lambda found: swapped[found[0]], right))
    done = gate(folder, image)
    assert (done.returncode, "This image does not get the plaintext." in done.stdout) == (1, True)
