"""What RunInstances is told: nothing in, the same for the same token, another zone without room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitro_workflow.cloud import INPUTS, LAB_TAG
from nitro_workflow.errors import HostError
from nitro_workflow.host import Ec2Host
from tests.host.played_aws import IDENTITY, PlayedAws, Refusal, ec2_host

INSTANCE = "i-0123456789abcdef0"


@pytest.fixture
def aws() -> PlayedAws:
    return PlayedAws(INSTANCE, lambda _: None)


@pytest.fixture
def host(aws: PlayedAws, tmp_path: Path) -> Ec2Host:
    return ec2_host(aws, tmp_path / "records")


def test_it_lets_nothing_in_and_ends_itself(aws: PlayedAws, host: Ec2Host) -> None:
    told = host.launch_settings("one")
    assert told["ImageId"] == "ami-0123"
    assert (told["InstanceType"], told["SubnetId"]) == ("c5a.xlarge", "subnet-0a")
    assert told["SecurityGroupIds"] == ["sg-0"]
    assert told["InstanceInitiatedShutdownBehavior"] == "terminate"
    (disk,) = told["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["DeleteOnTermination"] is True
    assert 'shutdown -h "+$STOP_MINUTES"' in told["UserData"]
    assert "readonly STOP_MINUTES=120\n" in told["UserData"]
    assert len(told["UserData"].encode()) <= 16 * 1024
    for one in told["TagSpecifications"]:
        assert {"Key": LAB_TAG, "Value": IDENTITY} in one["Tags"]
    kinds = {one["ResourceType"] for one in told["TagSpecifications"]}
    assert kinds == {"instance", "volume", "network-interface"}
    made = [name for _, name, _ in aws.calls]
    assert "CreateSecurityGroup" in made
    assert not [name for name in made if "Ingress" in name]
    # RunInstances' own model takes it all.
    usual = {"MinCount": 1, "MaxCount": 1, "ClientToken": "one"}
    aws.fails["RunInstances"] = [{"Instances": [{}]}]
    aws.client("administrator", "ec2").run_instances(**usual, **told)


def test_who_asks_for_what(aws: PlayedAws, host: Ec2Host) -> None:
    host.launch_settings("one")
    assert [(party, name) for party, name, _ in aws.calls] == [
        ("administrator", "GetParameter"),
        ("administrator", "DescribeSubnets"),
        ("administrator", "DescribeSecurityGroups"),
        ("administrator", "CreateSecurityGroup"),
        ("developer", "CreateBucket"),
        ("developer", "PutPublicAccessBlock"),
        ("developer", "PutBucketTagging"),
        ("developer", "PutBucketPolicy"),
        ("developer", "HeadObject"),
        ("developer", "PutObject"),
    ]
    (place,) = [given["CreateBucketConfiguration"] for given in aws.named("CreateBucket")]
    assert place == {"LocationConstraint": "eu-central-1"}
    (policy,) = [json.loads(given["Policy"]) for given in aws.named("PutBucketPolicy")]
    (statement,) = policy["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (put,) = aws.named("PutObject")
    digest = put["Key"].removeprefix(INPUTS).partition("/")[0]
    assert f"readonly SHA256={digest}\n" in host.launch_settings("one")["UserData"]


def test_the_same_token_gives_the_same_whatever_is_newer(
    aws: PlayedAws, host: Ec2Host, tmp_path: Path
) -> None:
    first = host.launch_settings("one")
    newer = {"Parameter": {"Value": "ami-newer"}}
    aws.fails["GetParameter"] = [dict(newer), dict(newer)]
    count = len(aws.calls)
    assert host.launch_settings("one") == first
    assert ec2_host(aws, tmp_path / "records").launch_settings("one") == first, "after a kill"
    assert len(aws.calls) == count
    assert host.launch_settings("two")["ImageId"] == "ami-newer"


def test_another_zone_is_tried_where_there_is_no_room(aws: PlayedAws, host: Ec2Host) -> None:
    assert host.launch_settings("one")["SubnetId"] == "subnet-0a"
    assert host.launch_again("UnauthorizedOperation") is False
    assert host.launch_again("InsufficientInstanceCapacity") is True
    assert host.launch_settings("two")["SubnetId"] == "subnet-0b"
    assert host.launch_again("Unsupported") is False
    with pytest.raises(HostError, match="no subnet") as refused:
        host.launch_settings("three")
    assert "--subnet" in refused.value.next


def test_what_is_there_is_not_made_or_sent_again(aws: PlayedAws, host: Ec2Host) -> None:
    host.launch_settings("one")
    host.launch_settings("two")
    for name in ("CreateSecurityGroup", "PutObject", "CreateBucket"):
        assert len(aws.named(name)) == 1, name


def test_a_group_that_somebody_has_opened_is_refused(aws: PlayedAws, host: Ec2Host) -> None:
    aws.groups.append({"GroupId": "sg-9", "IpPermissions": [{"IpProtocol": "tcp"}]})
    with pytest.raises(HostError, match="sg-9 lets something in") as refused:
        host.launch_settings("one")
    assert "inbound rules" in refused.value.next


def test_a_group_that_was_made_a_moment_ago_is_found(aws: PlayedAws, host: Ec2Host) -> None:
    aws.groups.append({"GroupId": "sg-9", "IpPermissions": []})
    aws.fails["DescribeSecurityGroups"] = [{"SecurityGroups": []}]
    aws.fails["CreateSecurityGroup"] = [Refusal("InvalidGroup.Duplicate")]
    assert host.launch_settings("one")["SecurityGroupIds"] == ["sg-9"]


def test_a_bucket_of_somebody_else_is_not_used(aws: PlayedAws, host: Ec2Host) -> None:
    aws.fails["CreateBucket"] = [Refusal("BucketAlreadyExists", status=409)]
    with pytest.raises(HostError, match="belongs to somebody else"):
        host.launch_settings("one")
    assert not aws.named("PutObject")


def test_a_bucket_of_ours_is(aws: PlayedAws, host: Ec2Host) -> None:
    aws.fails["CreateBucket"] = [Refusal("BucketAlreadyOwnedByYou", status=409)]
    host.launch_settings("one")
    assert len(aws.named("PutObject")) == 1
