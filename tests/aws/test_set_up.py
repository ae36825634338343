"""Pre-flight, set-up, teardown and leftovers, against the stand-in (not AWS)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.cloud import COMPUTE_ACCOUNT, DATA_ACCOUNT
from nitro_workflow.errors import NitroWorkflowError, UntrustedAnswer
from nitro_workflow.lab import Lab
from nitro_workflow.lab.aws.aws_check import chosen, pre_flight
from nitro_workflow.lab.aws.aws_plan import plan
from nitro_workflow.lab.aws.leftovers import leftovers, tagged_keys
from nitro_workflow.lab.aws.teardown import teardown
from tests.aws.stand_in import StandIn, stand_in


@pytest.fixture
def lab(at: StandIn, tmp_path: Path) -> Lab:
    opened = Lab.open(tmp_path / "lab", cloud="aws", aws=at.settings, size=20_000)
    opened.pair.agree()
    return opened


def states(lab: Lab) -> dict[str, str]:
    return {f"{one.kind} {one.name}": one.state for one in teardown(lab.pair.aws)}


def test_the_pre_flight_asks_everything_and_makes_nothing(lab: Lab, at: StandIn) -> None:
    before = leftovers(lab.pair.aws)
    found = {one.question: one for one in pre_flight(lab.pair.aws, machine="x86_64")}
    assert [q for q, one in found.items() if one.state == "no"] == []
    assert {q for q, one in found.items() if one.state == "unknown"} == {
        "permissions, data account",  # the stand-in does not simulate policies
        "permissions, compute account",
    }
    assert found["instance type"].found.startswith("m5.xlarge, x86_64, in us-east-1a")
    assert found["machine image"].found.startswith("ami-")
    assert leftovers(lab.pair.aws) == before


def test_what_is_missing_is_said_before_anything_is_made(lab: Lab) -> None:
    cloud = lab.pair.aws
    cloud.settings = dataclasses.replace(cloud.settings, instance_type="t3.micro")
    found = {one.question: one for one in pre_flight(cloud, machine="x86_64")}
    assert found["instance type"].state == "no"
    assert "t3.micro" in found["instance type"].found


def test_type_and_subnet_are_chosen_of_what_is_offered(lab: Lab) -> None:
    settings = chosen(lab.pair.aws, machine="x86_64")
    assert settings.instance_type == "m5.xlarge"  # c5a.xlarge is cheaper, and not offered
    assert settings.subnet.startswith("subnet-")


def test_one_account_is_said_to_be_one(tmp_path: Path) -> None:
    with stand_in(tmp_path / "side", two_accounts=False) as at:
        lab = Lab.open(tmp_path / "lab", cloud="aws", aws=at.settings)
        lab.pair.agree()
        found = {one.question: one for one in pre_flight(lab.pair.aws)}
        assert found["two accounts"].state == "no"
        assert "can become the data owner" in found["two accounts"].found
        assert lab.pair.settings.one_account


def test_preparation_runs_and_everything_has_the_labs_id(lab: Lab, at: StandIn) -> None:
    for number in ("P1", "P2", "P3", "P4"):
        assert lab.run(number).status == "done"
    identity = lab.bench.folder.identity
    found = [one for one in leftovers(lab.pair.aws) if one.lab == identity]
    planned = {
        thing.name
        for thing in plan(at.settings, identity).things
        if thing.step in ("set-up", "P1", "P4") and thing.kind != "KMS key"
    }
    assert {one.name for one in found} == planned
    key = lab.bench.produced("P1", "key_arn")
    kms = lab.bench.parties.session("owner").client("kms")
    tags = kms.list_resource_tags(KeyId=key)["Tags"]
    assert tags == [{"TagKey": "nitro-workflow:lab", "TagValue": identity}]
    states(lab)


def test_teardown_leaves_nothing_and_the_owners_role_is_last(lab: Lab, at: StandIn) -> None:
    lab.run("P4")
    key = lab.bench.produced("P1", "key_arn")
    done = list(teardown(lab.pair.aws))
    assert [one.kind for one in done if one.state == "failed"] == []
    assert done[-1].name == lab.bench.cloud.names.roles["owner"]
    kinds = [one.kind for one in done]
    assert kinds.index("KMS key") < kinds.index("role")
    scheduled = [one for one in done if one.state == "scheduled"]
    assert len(scheduled) == 2
    assert any(key in one.why and "ends on 20" in one.why for one in scheduled)
    assert leftovers(lab.pair.aws, lab.bench.folder.identity) == []
    buckets = at.client("s3", DATA_ACCOUNT).list_buckets()["Buckets"]
    assert not [one for one in buckets if lab.bench.folder.identity in one["Name"]]
    again = list(teardown(lab.pair.aws))
    assert again == []


def test_a_walk_after_a_teardown_asks_again_and_revives_no_key(lab: Lab) -> None:
    lab.run("P2")
    first = lab.bench.produced("P1", "key_arn")
    states(lab)
    lab.pair.forget()
    with pytest.raises(NitroWorkflowError, match="nobody has said yes"):
        lab.run("P1")
    again = Lab.open(lab.path)
    again.pair.agree()
    assert again.run("P1").produced["key_arn"] != first
    states(again)


def test_a_key_that_was_made_without_its_alias_is_found(lab: Lab, at: StandIn) -> None:
    """The run was killed between CreateKey and CreateAlias."""
    lab.run("P1")
    kms = lab.bench.parties.session("owner").client("kms")
    kms.delete_alias(AliasName=lab.bench.cloud.names.data_alias)
    key = lab.bench.produced("P1", "key_arn")
    found = leftovers(lab.pair.aws)
    assert key not in {one.name for one in found}, "no alias leads to it"
    listed = {one.name: one for one in tagged_keys(lab.pair.aws, found)}
    assert listed[key].lab == lab.bench.folder.identity
    done = states(lab)
    assert done[f"KMS key {key}"] == "scheduled"
    assert key not in {one.name for one in tagged_keys(lab.pair.aws, found)}, "it ends by itself"


def test_a_key_that_a_learner_makes_by_hand_is_found(lab: Lab, at: StandIn) -> None:
    """As in the notebooks: no alias, no tag is typed, and it would cost money for ever."""
    lab.run("P1")
    kms = lab.bench.parties.session("owner").client("kms")
    policy = kms.get_key_policy(KeyId=lab.bench.produced("P1", "key_arn"))["Policy"]
    tag = {"TagKey": "course", "TagValue": "01"}
    plain = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    tagged = kms.create_key(Policy=policy, Tags=[tag])["KeyMetadata"]["Arn"]
    assert tag in kms.list_resource_tags(KeyId=tagged)["Tags"]
    done = states(lab)
    assert {done[f"KMS key {key}"] for key in (plain, tagged)} == {"scheduled"}


def test_an_owner_who_cannot_be_asked_is_said_to_be_one(lab: Lab, at: StandIn) -> None:
    """The role trusts another operator now: what it alone can see is not passed over in silence."""
    lab.run("P1")
    nobody = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    at.client("iam", DATA_ACCOUNT).update_assume_role_policy(
        RoleName=lab.bench.cloud.names.roles["owner"],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [nobody]}),
    )
    mine = lab.bench.folder.identity
    found = leftovers(lab.pair.aws)
    (said,) = [one for one in tagged_keys(lab.pair.aws, found) if one.lab == mine]
    assert said.name == "without an alias"
    assert "AccessDenied" in said.state


def test_the_owners_role_stays_while_a_key_is_left(lab: Lab) -> None:
    """Deleted first, nobody could end the key: its policy names nobody else."""
    lab.run("P1")
    kms = lab.bench.parties.session("owner").client("kms")
    key = lab.bench.produced("P1", "key_arn")
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    locked = {
        "Sid": "NoEnd",
        "Effect": "Deny",
        "Principal": {"AWS": lab.bench.policies.role_arn("owner")},
        "Action": "kms:ScheduleKeyDeletion",
        "Resource": "*",
    }
    kms.put_key_policy(
        KeyId=key, Policy=json.dumps({**policy, "Statement": [*policy["Statement"], locked]})
    )
    done = {one.name: one for one in teardown(lab.pair.aws)}
    owner = done[lab.bench.cloud.names.roles["owner"]]
    assert done[lab.bench.cloud.names.data_alias].state == "failed"
    assert (owner.state, "only this role can end" in owner.why) == ("kept", True)
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    assert "failed" not in states(lab).values()
    assert leftovers(lab.pair.aws, lab.bench.folder.identity) == []


def test_a_key_whose_owner_is_gone_is_said_to_be_lost(lab: Lab, at: StandIn) -> None:
    lab.run("P1")
    iam, role = at.client("iam", DATA_ACCOUNT), lab.bench.policies.role_name("owner")
    iam.delete_role_policy(RoleName=role, PolicyName="nitro-workflow")
    iam.delete_role(RoleName=role)
    done = [one for one in teardown(lab.pair.aws) if one.kind == "KMS key"]
    assert [one.state for one in done] == ["failed", "failed"]
    assert "its owner's role is gone" in done[0].why


def test_what_is_given_is_neither_made_nor_removed(at: StandIn, tmp_path: Path) -> None:
    s3 = at.client("s3", DATA_ACCOUNT)
    s3.create_bucket(Bucket="company-data")
    s3.put_bucket_versioning(Bucket="company-data", VersioningConfiguration={"Status": "Enabled"})
    given = dataclasses.replace(at.settings, given={"bucket": "company-data"})
    lab = Lab.open(tmp_path / "lab", cloud="aws", aws=given, size=20_000)
    lab.pair.agree()
    assert "must let the instance's role" in lab.run("P4").notes[0]
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="company-data")
    done = list(teardown(lab.pair.aws))
    assert done[-1].state == "kept"
    assert "company-data" in {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert "failed" not in {one.state for one in done}


def test_the_bucket_is_shut_versioned_and_takes_tls_only(lab: Lab, at: StandIn) -> None:
    lab.run("P4")
    s3, bucket = at.client("s3", DATA_ACCOUNT), lab.bench.cloud.names.data_bucket
    shut = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(shut.values()) == {True}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert tags == [{"Key": "nitro-workflow:lab", "Value": lab.bench.folder.identity}]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    denied = next(one for one in policy["Statement"] if one["Effect"] == "Deny")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    states(lab)


def test_a_given_role_is_left_as_it_is(at: StandIn, tmp_path: Path) -> None:
    iam = at.client("iam", COMPUTE_ACCOUNT)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = iam.create_role(
        Path="/company/", RoleName="Parent", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    given = dataclasses.replace(at.settings, given={"role-instance": role})
    lab = Lab.open(tmp_path / "lab", cloud="aws", aws=given)
    lab.pair.agree()
    lab.run("P1")
    assert iam.list_role_policies(RoleName="Parent")["PolicyNames"] == []
    states(lab)
    assert iam.get_role(RoleName="Parent")["Role"]["Arn"] == role


def test_another_account_than_the_one_agreed_to_is_refused(lab: Lab) -> None:
    settings = {**lab.pair.settings.to_json(), "compute_profile": DATA_ACCOUNT}
    lab.bench.folder.change_settings(aws=settings)
    with pytest.raises(NitroWorkflowError, match=f"operator's account is {DATA_ACCOUNT}"):
        Lab.open(lab.path).up()


def test_the_administrator_can_neither_use_the_key_nor_change_its_policy(lab: Lab) -> None:
    lab.run("P2")
    key = lab.bench.produced("P1", "key_arn")
    kms = lab.bench.parties.session("administrator").client("kms")
    tries = (
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: kms.put_key_policy(KeyId=key, Policy="{}"),
        lambda: kms.schedule_key_deletion(KeyId=key),
    )
    for one in tries:
        with pytest.raises(ClientError, match="AccessDenied"):
            one()
    states(lab)


def test_a_stand_in_marks_itself_and_reaches_no_aws(lab: Lab) -> None:
    assert lab.bench.cloud.kind == "stand-in"
    assert not lab.bench.cloud.trust().is_aws
    client = lab.bench.cloud.operator(DATA_ACCOUNT).client("sts")

    def to_aws(request: object, **_: object) -> None:
        request.url = "https://sts.us-east-1.amazonaws.com/"  # type: ignore[attr-defined]

    client.meta.events.register("before-sign.sts.*", to_aws)
    with pytest.raises(UntrustedAnswer, match="stand-in"):
        client.get_caller_identity()


def test_every_record_of_a_stand_in_says_so(lab: Lab) -> None:
    lab.run("P1")
    record = json.loads((lab.path / "steps" / "P1.json").read_text())
    assert record["cloud"] == "stand-in"
    states(lab)
