"""EC2 as set-up scripts ask: the default network, images, attributes; launches have an end."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config

from nitro_workflow.cloud.local.ec2 import ec2_common
from nitro_workflow.cloud.local.ec2.instance_launch import MAX_VCPUS
from tests.cloud.conftest import COMPUTE, SERVICE, RunningCloud, allow

Refused = Callable[..., Any]
LAUNCH = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}


def regional(cloud: RunningCloud, region: str) -> Any:
    """A client that sends what it is told, and of a region of its own: nobody else launches there."""
    return cloud.session(COMPUTE).client(
        "ec2", region_name=region, endpoint_url=cloud.endpoint, verify=cloud.ca,
        config=Config(retries={"max_attempts": 1}, parameter_validation=False),
    )  # fmt: skip


@pytest.fixture
def ec2(cloud: RunningCloud) -> Any:
    made = regional(cloud, "us-west-2")
    yield made
    running = made.describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
    )
    ids = [i["InstanceId"] for r in running["Reservations"] for i in r["Instances"]]
    if ids:
        made.terminate_instances(InstanceIds=ids)
    made.close()


def test_the_default_network(ec2: Any, refused: Refused) -> None:
    default = [{"Name": "is-default", "Values": ["true"]}]
    (vpc,) = ec2.describe_vpcs(Filters=default)["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])
    zones = [subnet["AvailabilityZone"] for subnet in subnets["Subnets"]]
    assert zones == ["us-west-2a", "us-west-2b", "us-west-2c"]
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    assert group["VpcId"] == vpc["VpcId"]
    place = {"SubnetId": subnets["Subnets"][0]["SubnetId"], "SecurityGroupIds": [group["GroupId"]]}
    ec2.run_instances(**LAUNCH, **place)
    for wrong in ({"SubnetId": "subnet-none"}, {"SecurityGroupIds": ["sg-none"]}):
        code = "InvalidSubnetID.NotFound" if "SubnetId" in wrong else "InvalidGroup.NotFound"
        refused(code, ec2.run_instances, **LAUNCH, **wrong)
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=["vpc-none"])
    refused("InvalidParameterValue", ec2.describe_vpcs, Filters=[{"Name": "x", "Values": ["y"]}])


@pytest.mark.parametrize(("value", "pattern", "fits"), [
    ("running", "running", True), ("running", "run*", True), ("running", "r?nn*g", True),
    ("running", "*", True), ("", "*", True), ("", "", True), ("", "?", False),
    ("running", "Running", False), ("running", "run", False), ("running", "*x*", False),
    ("a[b]", "a[b]", True), ("ab", "a[b]", False), ("aab", "*ab", True), ("abab", "*ab?", False),
    ("mississippi", "m*iss*ip*i", True), ("a" * 60, "a*" * 60 + "b", False), ("*", "**?", True),
])  # fmt: skip
def test_wildcards_of_filters(value: str, pattern: str, fits: bool) -> None:
    found = ec2_common.filtered(
        SimpleNamespace(params={"Filters": [{"Name": "a", "Values": [pattern]}]}),  # type: ignore[arg-type]
        [{"A": value}],
        ec2_common.plain("A"),
    )
    assert bool(found) == fits


def test_filters_have_an_end(ec2: Any, refused: Refused) -> None:
    """Each pattern was kept, compiled: 1,900 of one call took 9 MB for good."""
    values = [f"*{number}*" for number in range(200)]
    assert ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": values}])["Vpcs"] is not None
    wanted = [{"Name": "vpc-id", "Values": values}, {"Name": "state", "Values": ["x"]}]
    refused("FilterLimitExceeded", ec2.describe_vpcs, Filters=wanted)


def test_images(ec2: Any) -> None:
    wanted = [
        {"Name": "name", "Values": ["al2023-ami-*-kernel-6.12-*"]},
        {"Name": "architecture", "Values": ["arm64"]},
        {"Name": "state", "Values": ["available"]},
    ]
    (image,) = ec2.describe_images(Owners=["amazon"], Filters=wanted)["Images"]
    assert image["Architecture"] == "arm64"
    assert ec2.describe_images(ImageIds=[image["ImageId"]])["Images"] == [image]
    assert ec2.describe_images(Owners=["self"])["Images"] == []


def test_attributes(ec2: Any, refused: Refused) -> None:
    made = ec2.run_instances(**LAUNCH, EnclaveOptions={"Enabled": True})["Instances"][0]
    ask = lambda name: ec2.describe_instance_attribute(  # noqa: E731
        InstanceId=made["InstanceId"], Attribute=name
    )
    assert ask("enclaveOptions")["EnclaveOptions"] == {"Enabled": True}
    assert ask("instanceType")["InstanceType"] == {"Value": "m5.xlarge"}
    assert ask("disableApiTermination")["DisableApiTermination"] == {"Value": False}
    refused("UnsupportedOperation", ask, name="kernel")
    refused(
        "InvalidInstanceID.NotFound", ec2.describe_instance_attribute,
        InstanceId="i-0123456789abcdef0", Attribute="instanceType",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("least", "most", "code"),
    [
        (1, 10**20 - 1, "InvalidParameterValue"),
        (1, 2**31 - 1, "VcpuLimitExceeded"),
        (1, MAX_VCPUS, "VcpuLimitExceeded"),
        (0, 1, "InvalidParameterValue"),
        (2, 1, "InvalidParameterValue"),
        (-1, -1, "InvalidParameterValue"),
    ],
)
def test_a_launch_has_an_end(
    cloud: RunningCloud, ec2: Any, refused: Refused, least: int, most: int, code: str
) -> None:
    refused(code, ec2.run_instances, **{**LAUNCH, "MinCount": least, "MaxCount": most})
    assert cloud.client("kms").create_key()["KeyMetadata"]["Enabled"] is True  # writing goes on


def test_the_quota_is_of_what_runs(ec2: Any, refused: Refused) -> None:
    most = MAX_VCPUS // 4
    made = ec2.run_instances(**{**LAUNCH, "MinCount": most, "MaxCount": most})["Instances"]
    refused("VcpuLimitExceeded", ec2.run_instances, **LAUNCH)
    ec2.terminate_instances(InstanceIds=[made[0]["InstanceId"]])
    ec2.run_instances(**LAUNCH)


def test_what_a_launch_may_not_say(ec2: Any, refused: Refused) -> None:
    for wrong in (
        {"KeyName": "mine"},
        {"HibernationOptions": {"Configured": True}},
        {"MetadataOptions": {"HttpTokens": "optional"}},
        {"Monitoring": {"Enabled": True}},
    ):
        refused("UnsupportedOperation", ec2.run_instances, **LAUNCH, **wrong)
    ec2.run_instances(**LAUNCH, MetadataOptions={"HttpTokens": "required"})


def test_dry_runs_do_nothing(cloud: RunningCloud, ec2: Any, refused: Refused) -> None:
    error = refused("DryRunOperation", ec2.run_instances, **LAUNCH, DryRun=True)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 412
    made = ec2.run_instances(**LAUNCH)["Instances"][0]["InstanceId"]
    refused("DryRunOperation", ec2.terminate_instances, InstanceIds=[made], DryRun=True)
    refused("DryRunOperation", ec2.describe_vpcs, DryRun=True)
    (found,) = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"]
    assert found["State"]["Name"] == "running"
    session = cloud.role("NoLauncher", [allow("ec2:Describe*")], account=COMPUTE)
    nobody = cloud.client("ec2", session)
    refused("UnauthorizedOperation", nobody.run_instances, **LAUNCH, DryRun=True)


def test_instances_are_in_their_region(cloud: RunningCloud, ec2: Any, refused: Refused) -> None:
    token = uuid.uuid4().hex
    made = ec2.run_instances(**LAUNCH, ClientToken=token)["Instances"][0]
    assert made["Placement"]["AvailabilityZone"] == "us-west-2a"
    other = regional(cloud, "eu-central-1")
    wanted = {"InstanceIds": [made["InstanceId"]]}
    refused("InvalidInstanceID.NotFound", other.describe_instances, **wanted)
    refused("InvalidInstanceID.NotFound", other.terminate_instances, **wanted)
    again = other.run_instances(**LAUNCH, ClientToken=token)["Instances"][0]
    assert again["InstanceId"] != made["InstanceId"]
    other.terminate_instances(InstanceIds=[again["InstanceId"]])
    hypervisor = cloud.client("ec2", SERVICE)
    assert hypervisor.describe_instances(**wanted)["Reservations"]
    other.close()


def test_pages(ec2: Any, refused: Refused) -> None:
    ec2.run_instances(**{**LAUNCH, "MinCount": 6, "MaxCount": 6})
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    listed = [
        [i["InstanceId"] for r in page["Reservations"] for i in r["Instances"]] for page in pages
    ]
    assert len(listed[0]) == 5
    ids = [name for page in listed for name in page]
    assert len(set(ids)) == len(ids) >= 6
    for token in ("²", "1", "x"):
        refused("InvalidParameterValue", ec2.describe_instances, NextToken=token)
    refused("InvalidParameterValue", ec2.describe_instances, MaxResults=4)


def test_what_would_be_passed_over(ec2: Any, refused: Refused) -> None:
    names = [ec2.run_instances(**LAUNCH)["Instances"][0]["InstanceId"]]
    code = "UnsupportedHibernationConfiguration"
    refused(code, ec2.stop_instances, InstanceIds=names, Hibernate=True)
    (found,) = ec2.describe_instances(InstanceIds=names)["Reservations"]
    assert found["Instances"][0]["State"]["Name"] == "running"
    # EC2 API Reference, DescribeInstances: MaxResults and instance ids exclude each other.
    code = "InvalidParameterCombination"
    refused(code, ec2.describe_instances, InstanceIds=names, MaxResults=5)
    assert ec2.describe_images(ExecutableUsers=["self"])["Images"] == []
    assert ec2.describe_images(ExecutableUsers=["all"])["Images"]
    refused("UnsupportedOperation", ec2.describe_availability_zones, ZoneIds=["use1-az9"])
