"""The whole walk as on AWS, host `ec2`, against the stand-in: what is made, what is known of each step.

The parent is the played one: it runs the host's user data, and the host's commands come by SSM.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import cli
from nitro_workflow.cloud import COMPUTE_ACCOUNT
from nitro_workflow.errors import LabError, ReceiptRefused, UntrustedAnswer
from nitro_workflow.lab import Lab, confirm, jobs_of, leftovers, teardown
from nitro_workflow.lab.steps.claims import claimed_decision
from nitro_workflow.lab.steps.d3_d7_bytes import document_of, envelope_of, request_of
from tests.aws.stand_in import StandIn
from tests.needs_aws.walk_checks import CHECKS


@pytest.fixture(scope="module")
def lab(at: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab") / "lab"
    words = ["--cloud", "aws", "--host", "ec2", "--region", at.settings.region, "--yes"]
    words += ["--data-profile", at.settings.data_profile]
    words += ["--compute-profile", at.settings.compute_profile]
    done = CliRunner().invoke(cli, ["walk", *words, "--lab", str(folder), "--size", "20KiB"])
    assert done.exit_code == 0, done.output
    assert "Plan for us-east-1" in done.output
    opened = Lab.open(folder)
    assert len(opened.bench.folder.recorded()) == 17
    yield opened
    assert [one for one in teardown(opened.pair.aws) if one.state == "failed"] == []


def evidence(lab: Lab, step: str) -> dict[str, Any]:
    return dict(lab.bench.result(step).evidence)


def test_all_that_was_made_has_the_labs_tag(lab: Lab, at: StandIn) -> None:
    """Eleven things by name and tag, two aliases, and what comes and goes with the instance."""
    identity = lab.bench.folder.identity
    found = leftovers(lab.pair.aws, identity)
    kinds = Counter(one.kind for one in found)
    assert kinds == {
        "KMS key": 2, "bucket": 2, "role": 4,
        "instance": 1, "instance profile": 1, "security group": 1,
    }  # fmt: skip
    ours = {"Key": "nitro-workflow:lab", "Value": identity}
    ec2, s3 = at.client("ec2", COMPUTE_ACCOUNT), lambda account: at.client("s3", account)
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "tag:nitro-workflow:lab",
                                                      "Values": [identity]}])["SecurityGroups"]  # fmt: skip
    assert (group["IpPermissions"], ours in group["Tags"]) == ([], True)
    names = {one.name: one for one in found if one.kind == "bucket"}
    for name, one in names.items():
        account = getattr(lab.pair.aws.accounts, one.account)
        assert ours in s3(account).get_bucket_tagging(Bucket=name)["TagSet"]
    for one in found:
        account = getattr(lab.pair.aws.accounts, one.account)
        if one.kind == "role":
            assert ours in at.client("iam", account).list_role_tags(RoleName=one.name)["Tags"]
    owner = lab.bench.parties.session("owner").client("kms")
    for one in (one for one in found if one.kind == "KMS key"):
        key = owner.describe_key(KeyId=one.name)["KeyMetadata"]["KeyId"]
        assert {"TagKey": ours["Key"], "TagValue": ours["Value"]} in owner.list_resource_tags(
            KeyId=key
        )["Tags"]


def test_the_launch_is_the_one_that_was_planned(lab: Lab, at: StandIn) -> None:
    ec2 = at.client("ec2", COMPUTE_ACCOUNT)
    instance = lab.bench.produced("P8", "instance_id")
    made = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert made["EnclaveOptions"] == {"Enabled": True}
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["ImageId"].startswith("ami-")
    ends = ec2.describe_instance_attribute(
        InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert ends["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
    asked = lab.bench.host.run_command(instance, ["cat", "/run/instance/shutdown"])
    assert json.loads(asked["stdout"]) == ["-h", "+120"]


def test_each_step_says_what_its_evidence_rests_on(lab: Lab) -> None:
    def known(step: str) -> set[str]:
        found = evidence(lab, step)
        forms = [one["known"] for one in found.values() if isinstance(one, dict) and "known" in one]
        return set(forms) | ({found["known"]} if "known" in found else set())

    assert {step: known(step) for step in ("D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8")} == {
        "D1": {"word"},
        "D2": {"word"},
        "D3": {"observed"},
        "D4": {"inferred"},
        "D5": {"signed"},
        "D6": {"word"},
        "D7": {"word"},
        "D8": {"word"},
    }
    decided = evidence(lab, "D4")["encryption-sdk"]
    assert decided["explanation"] == "", "AWS's records hold no reason"
    assert decided["pcrs"]["PCR0"] == lab.bench.produced("P6", "pcrs")["0"]
    assert decided["caller"] == "", "nobody has told that yet"


def test_every_record_says_that_it_is_a_stand_ins(lab: Lab) -> None:
    for path in (lab.path / "steps").glob("*.json"):
        assert json.loads(path.read_text())["cloud"] == "stand-in"


def test_a_parent_that_tells_of_another_envelope_is_detected(lab: Lab) -> None:
    """Nothing but the receipt speaks for it, and the receipt does."""
    job = jobs_of(lab.bench)["encryption-sdk"]
    path = lab.path / "jobs" / f"{job.id}.json"
    kept = path.read_text()
    for step, name in (("D7", "envelope_sha256"), ("D6", "kms_request_id")):
        state = json.loads(kept)
        state["evidence"][step][name] = "00"
        path.write_text(json.dumps(state))
        with pytest.raises(ReceiptRefused, match="swapped"):
            claimed_decision(lab.bench, job)
    path.write_text(kept)
    assert claimed_decision(lab.bench, job)["decision"] == "allowed"


def test_the_bytes_that_were_kept_fit_the_receipt(lab: Lab) -> None:
    import hashlib

    said = lab.bench.result("D7").evidence["encryption-sdk"]
    envelope = envelope_of(lab.bench)
    assert hashlib.sha256(envelope).hexdigest() == said["envelope_sha256"]
    assert b"TrentService.Decrypt" in request_of(lab.bench)
    assert document_of(lab.bench)[:1] == b"\x84"


def test_a_document_of_another_time_or_image_is_detected(lab: Lab) -> None:
    job = jobs_of(lab.bench)["encryption-sdk"]
    other = jobs_of(lab.bench)["envelope"]
    path = lab.path / "jobs" / f"{job.id}.json"
    kept = path.read_text()
    state = json.loads(kept)
    state["evidence"]["D3"]["document"] = other.evidence("D3")["document"]
    path.write_text(json.dumps(state))
    with pytest.raises(UntrustedAnswer):
        claimed_decision(lab.bench, job)
    path.write_text(kept)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_a_person_checks_on_aws_holds_here(lab: Lab, check: Callable[[Lab], None]) -> None:
    """The suite of `make needs-aws`, asked of the stand-in."""
    check(lab)


def test_confirm_completes_d4_when_the_record_has_come(lab: Lab, monkeypatch: Any) -> None:
    from nitro_workflow.lab.evidence import decision_lookup

    with monkeypatch.context() as late:
        late.setattr(decision_lookup, "decrypts_of_key", lambda *_: iter(()))
        assert [one.pending for one in confirm(lab.bench)] == [True, True]
        assert evidence(lab, "D4")["encryption-sdk"]["known"] == "inferred"
        asked = CliRunner().invoke(cli, ["confirm", "--lab", str(lab.path)])
        assert asked.exit_code == 1
        assert "take some minutes" in asked.output
    found = confirm(lab.bench)
    assert [(one.known, one.pending) for one in found] == [("observed", False)] * 2
    decided = evidence(lab, "D4")["encryption-sdk"]
    assert decided["known"] == "observed"
    assert "-instance/i-" in decided["caller"]
    assert decided["confirmed_by"].startswith("CloudTrail event ")
    asked = CliRunner().invoke(cli, ["confirm", "--lab", str(lab.path)])
    assert asked.exit_code == 0, asked.output


@pytest.mark.parametrize("what", ["pcr", "module", "denied", "no recipient"])
def test_a_record_that_contradicts_the_receipt_is_no_confirmation(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from nitro_workflow.lab.evidence import decision_lookup

    real = decision_lookup.decrypts_of_key

    def changed(*given: Any) -> Iterator[dict[str, Any]]:
        for event in real(*given):
            recipient = (event.get("additionalEventData") or {}).get("recipient")
            if recipient is None:  # a Decrypt that was refused before, without a document
                yield event
                continue
            if what == "pcr":
                recipient["attestationDocumentEnclavePCR2"] = "A" * 64
            elif what == "module":
                recipient["attestationDocumentModuleId"] = "i-0-enc0"
            elif what == "denied":
                event["errorCode"] = "AccessDenied"
            else:
                event["additionalEventData"] = {}
            yield event

    monkeypatch.setattr(decision_lookup, "decrypts_of_key", changed)
    with pytest.raises(UntrustedAnswer):
        confirm(lab.bench)


def test_there_is_nothing_to_confirm_before_d4(at: StandIn, tmp_path: Path) -> None:
    fresh = Lab.open(tmp_path / "lab", cloud="aws", aws=replace(at.settings))
    with pytest.raises(LabError, match="D4 has not been done"):
        confirm(fresh.bench)


def test_teardown_of_a_whole_walk_leaves_nothing(lab: Lab) -> None:
    done = list(teardown(lab.pair.aws))
    assert {one.state for one in done} == {"removed", "scheduled"}
    assert [one.kind for one in done if one.kind == "instance"] == ["instance"]
    assert leftovers(lab.pair.aws, lab.bench.folder.identity) == []
