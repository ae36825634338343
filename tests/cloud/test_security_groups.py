"""Security groups: made, described, ruled, and deleted once no instance uses them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.conftest import COMPUTE, RunningCloud, allow

Refused = Callable[..., Any]
LAUNCH = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}
HTTPS = {
    "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
}  # fmt: skip
TAGS = [{"Key": "lab", "Value": "x"}]


@pytest.fixture
def ec2(cloud: RunningCloud) -> Any:
    return cloud.client("ec2", COMPUTE)


@pytest.fixture
def group(ec2: Any) -> str:
    return ec2.create_security_group(
        GroupName=f"lab-{uuid.uuid4().hex}", Description="a parent instance",
        TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}],
    )["GroupId"]  # fmt: skip


def described(ec2: Any, group: str) -> Any:
    return ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]


def test_a_new_group_lets_nothing_in(ec2: Any, group: str) -> None:
    found = described(ec2, group)
    assert found["IpPermissions"] == []
    (out,) = found["IpPermissionsEgress"]
    assert out["IpProtocol"] == "-1"
    assert found["Tags"] == TAGS
    assert [one["CidrIp"] for one in out["IpRanges"]] == ["0.0.0.0/0"]
    by_tag = ec2.describe_security_groups(Filters=[{"Name": "tag:lab", "Values": ["x"]}])
    assert group in {one["GroupId"] for one in by_tag["SecurityGroups"]}


def test_names_are_there_once(ec2: Any, group: str, refused: Refused) -> None:
    name = described(ec2, group)["GroupName"]
    more = {"Description": "again"}
    refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName=name, **more)
    refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="default", **more)
    for wrong in ("sg-mine", "a\nb", "x" * 256):
        refused("InvalidParameterValue", ec2.create_security_group, GroupName=wrong, **more)
    refused(
        "InvalidVpcID.NotFound", ec2.create_security_group, GroupName="other", VpcId="vpc-0", **more
    )


def test_a_group_goes_after_its_instance(ec2: Any, group: str, refused: Refused) -> None:
    made = ec2.run_instances(**LAUNCH, SecurityGroupIds=[group])["Instances"][0]
    assert [one["GroupId"] for one in made["SecurityGroups"]] == [group]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    assert ec2.delete_security_group(GroupId=group)["GroupId"] == group
    refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=group)
    refused("InvalidGroup.NotFound", ec2.run_instances, **LAUNCH, SecurityGroupIds=[group])


def test_the_default_group_stays(ec2: Any, refused: Refused) -> None:
    default = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    refused("CannotDelete", ec2.delete_security_group, GroupId=default)
    refused("CannotDelete", ec2.delete_security_group, GroupName="default")


def test_rules(ec2: Any, group: str, refused: Refused) -> None:
    named = {"GroupId": group}
    ec2.authorize_security_group_ingress(**named, IpPermissions=[HTTPS])
    assert described(ec2, group)["IpPermissions"] == [
        {**HTTPS, "UserIdGroupPairs": [], "Ipv6Ranges": [], "PrefixListIds": []}
    ] or described(ec2, group)["IpPermissions"] == [HTTPS]  # fmt: skip
    again = {**named, "IpPermissions": [HTTPS]}
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, **again)
    ec2.revoke_security_group_ingress(**again)
    assert described(ec2, group)["IpPermissions"] == []
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, **again)
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(**named, IpPermissions=everything)
    ec2.authorize_security_group_egress(**again)
    (out,) = described(ec2, group)["IpPermissionsEgress"]
    assert out["FromPort"] == 443
    for wrong in (
        {**HTTPS, "IpRanges": [{"CidrIp": "10.0.0.1/8"}]},
        {**HTTPS, "FromPort": 444},
        {**HTTPS, "IpProtocol": "ipsec"},
    ):
        refused(
            "InvalidParameterValue", ec2.authorize_security_group_ingress, **named,
            IpPermissions=[wrong],
        )  # fmt: skip


def test_rules_have_an_end(ec2: Any, group: str, refused: Refused) -> None:
    many = [{**HTTPS, "FromPort": port, "ToPort": port} for port in range(1, 62)]
    refused(
        "RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=group,
        IpPermissions=many,
    )  # fmt: skip


def test_who_tags_needs_leave_to_tag(cloud: RunningCloud, refused: Refused) -> None:
    name = f"lab-{uuid.uuid4().hex}"
    keys = cloud.role(
        "GroupMaker", [allow("ec2:CreateSecurityGroup", "ec2:RunInstances")], account=COMPUTE
    )
    maker = cloud.client("ec2", keys)
    tags = [{"ResourceType": "security-group", "Tags": TAGS}]
    more = {"GroupName": name, "Description": "d"}
    error = refused(
        "UnauthorizedOperation", maker.create_security_group, **more, TagSpecifications=tags
    )
    assert "ec2:CreateTags" in error["Error"]["Message"]
    maker.create_security_group(**more)
    volume = [{"ResourceType": "volume", "Tags": TAGS}]
    refused("UnauthorizedOperation", maker.run_instances, **LAUNCH, TagSpecifications=volume)
    once = {"StringEquals": {"ec2:CreateAction": "RunInstances", "aws:RequestTag/lab": "x"}}
    keys = cloud.role(
        "GroupMaker",
        [allow("ec2:CreateSecurityGroup", "ec2:RunInstances"),
         allow("ec2:CreateTags", Condition=once)],
        account=COMPUTE,
    )  # fmt: skip
    maker = cloud.client("ec2", keys)
    maker.run_instances(**LAUNCH, TagSpecifications=volume)
    more = {"GroupName": f"{name}-2", "Description": "d"}
    refused("UnauthorizedOperation", maker.create_security_group, **more, TagSpecifications=tags)


def test_a_launch_is_allowed_in_a_subnet_of_ones_own_only(
    cloud: RunningCloud, ec2: Any, refused: Refused
) -> None:
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]]
    here = f"arn:aws:ec2:us-east-1:{COMPUTE}:subnet/{subnets[0]}"
    leave = json.loads(json.dumps(allow("ec2:RunInstances")))
    elsewhere = {
        "Effect": "Deny", "Action": "ec2:RunInstances",
        "NotResource": [here, "arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*::image/*",
                        "arn:aws:ec2:*:*:security-group/*", "arn:aws:ec2:*:*:volume/*",
                        "arn:aws:ec2:*:*:network-interface/*"],
    }  # fmt: skip
    keys = cloud.role("OneSubnet", [leave, elsewhere], account=COMPUTE)
    one = cloud.client("ec2", keys)
    one.run_instances(**LAUNCH, SubnetId=subnets[0])
    refused("UnauthorizedOperation", one.run_instances, **LAUNCH, SubnetId=subnets[1])
