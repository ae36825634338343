"""RunInstances as a parent instance on AWS is launched: user data, disk, end, one token once."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.conftest import COMPUTE, RunningCloud

Refused = Callable[..., Any]
LAUNCH: dict[str, Any] = {
    "ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1,
    "EnclaveOptions": {"Enabled": True},
}  # fmt: skip
DISK = {
    "DeviceName": "/dev/xvda",
    "Ebs": {"VolumeSize": 16, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True},
}


@pytest.fixture
def ec2(cloud: RunningCloud) -> Any:
    return cloud.client("ec2", COMPUTE)


def attribute(ec2: Any, made: Any, name: str) -> Any:
    return ec2.describe_instance_attribute(InstanceId=made["InstanceId"], Attribute=name)


def test_what_a_launch_said_is_kept(ec2: Any) -> None:
    (subnet,) = [
        one for one in ec2.describe_subnets()["Subnets"] if one["AvailabilityZone"] == "us-east-1b"
    ]
    made = ec2.run_instances(
        **LAUNCH, UserData="#!/bin/bash\necho ö", InstanceInitiatedShutdownBehavior="terminate",
        BlockDeviceMappings=[DISK], SubnetId=subnet["SubnetId"],
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
    )["Instances"][0]  # fmt: skip
    assert made["SubnetId"] == subnet["SubnetId"]
    assert made["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert made["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert made["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is True
    data = attribute(ec2, made, "userData")["UserData"]["Value"]
    assert base64.b64decode(data).decode() == "#!/bin/bash\necho ö"
    ends = attribute(ec2, made, "instanceInitiatedShutdownBehavior")
    assert ends["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}


def test_one_interface_says_the_same(ec2: Any, refused: Refused) -> None:
    group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    subnet = ec2.describe_subnets()["Subnets"][2]["SubnetId"]
    card = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}
    made = ec2.run_instances(**LAUNCH, NetworkInterfaces=[card])["Instances"][0]
    assert made["SubnetId"] == subnet
    refused(
        "InvalidParameterCombination", ec2.run_instances, **LAUNCH, SubnetId=subnet,
        NetworkInterfaces=[card],
    )  # fmt: skip


def test_the_same_token_is_the_same_request(ec2: Any, refused: Refused) -> None:
    token = uuid.uuid4().hex
    first = ec2.run_instances(**LAUNCH, ClientToken=token, UserData="a")["Instances"][0]
    again = ec2.run_instances(**LAUNCH, ClientToken=token, UserData="a")["Instances"][0]
    assert first["InstanceId"] == again["InstanceId"]
    for other in ({"UserData": "b"}, {}, {"UserData": "a", "BlockDeviceMappings": [DISK]}):
        refused(
            "IdempotentParameterMismatch", ec2.run_instances, **LAUNCH, ClientToken=token, **other
        )
    by_token = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": [token]}])
    assert [one["InstanceId"] for r in by_token["Reservations"] for one in r["Instances"]] == [
        first["InstanceId"]
    ]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"UserData": "x" * 16_385}, "InvalidParameterValue"),
        ({"BlockDeviceMappings": [{**DISK, "DeviceName": "/dev/xvdb"}]}, "UnsupportedOperation"),
        ({"BlockDeviceMappings": [DISK, DISK]}, "UnsupportedOperation"),
        (
            {"BlockDeviceMappings": [{**DISK, "Ebs": {"VolumeSize": 2**31 - 1}}]},
            "InvalidParameterValue",
        ),
        ({"InstanceInitiatedShutdownBehavior": "hibernate"}, "InvalidParameterValue"),
        ({"MetadataOptions": {"HttpPutResponseHopLimit": 65}}, "UnsupportedOperation"),
        (
            {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]},
            "InvalidParameterValue",
        ),
        (
            {
                "TagSpecifications": [
                    {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}] * 2}
                ]
            },
            "InvalidParameterValue",
        ),
    ],
)
def test_what_is_refused(ec2: Any, refused: Refused, wrong: Any, code: str) -> None:
    refused(code, ec2.run_instances, **LAUNCH, **wrong)


def test_user_data_is_not_in_a_record(cloud: RunningCloud, ec2: Any) -> None:
    secret = f"canary-{uuid.uuid4().hex}"
    ec2.run_instances(**LAUNCH, UserData=secret)
    records = cloud.events(COMPUTE, EventName="RunInstances")
    assert records
    text = str(records)
    assert secret not in text
    assert base64.b64encode(secret.encode()).decode() not in text
