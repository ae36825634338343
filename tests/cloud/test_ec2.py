"""EC2's records: an instance, its role, enclaves or not; and who may pass which role."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.conftest import COMPUTE, SERVICE, RunningCloud, allow

PROFILE = "Parent"


@pytest.fixture(scope="module")
def profile(cloud: RunningCloud) -> str:
    cloud.role("Parent", [], account=COMPUTE, trust={"Service": SERVICE})
    iam = cloud.client("iam", COMPUTE)
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName="Parent")
    return PROFILE


def launch(client: Any, **options: Any) -> Any:
    defaults = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}
    return client.run_instances(**{**defaults, **options})["Instances"]


def test_a_parent_instance(cloud: RunningCloud, profile: str) -> None:
    ec2 = cloud.client("ec2", COMPUTE)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "lab", "Value": "walk"}]}]
    instance = launch(
        ec2, EnclaveOptions={"Enabled": True}, IamInstanceProfile={"Name": profile},
        TagSpecifications=tags,
    )[0]  # fmt: skip
    assert instance["InstanceId"].startswith("i-")
    assert len(instance["InstanceId"]) == 19
    found = ec2.describe_instances(Filters=[{"Name": "tag:lab", "Values": ["walk"]}])
    record = found["Reservations"][0]["Instances"][0]
    assert record["EnclaveOptions"] == {"Enabled": True}
    assert record["State"]["Name"] == "running"
    assert record["Tags"] == [{"Key": "lab", "Value": "walk"}]
    own_side = cloud.client("ec2", SERVICE).describe_instances(InstanceIds=[instance["InstanceId"]])
    arn = own_side["Reservations"][0]["Instances"][0]["IamInstanceProfile"]["Arn"]
    name = arn.rpartition("/")[2]
    iam = cloud.client("iam", SERVICE)
    role = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"][0]["Arn"]
    session = cloud.client("sts", SERVICE).assume_role(
        RoleArn=role, RoleSessionName=instance["InstanceId"]
    )["Credentials"]
    me = cloud.client("sts", session).get_caller_identity()["Arn"]
    assert me == f"arn:aws:sts::{COMPUTE}:assumed-role/Parent/{instance['InstanceId']}"


def test_states(cloud: RunningCloud, refused: Any) -> None:
    ec2 = cloud.client("ec2", COMPUTE)
    name = launch(ec2)[0]["InstanceId"]
    moved = ec2.stop_instances(InstanceIds=[name])["StoppingInstances"][0]
    assert moved["PreviousState"]["Name"] == "running"
    assert moved["CurrentState"]["Name"] == "stopped"
    ec2.start_instances(InstanceIds=[name])
    ec2.terminate_instances(InstanceIds=[name])
    refused("IncorrectInstanceState", ec2.start_instances, InstanceIds=[name])
    refused("InvalidInstanceID.NotFound", ec2.stop_instances, InstanceIds=["i-0"])
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-0"])


def test_which_types_carry_enclaves(cloud: RunningCloud, refused: Any) -> None:
    ec2 = cloud.client("ec2", COMPUTE)
    wanted = [{"Name": "nitro-enclaves-support", "Values": ["supported"]}]
    types = {
        t["InstanceType"] for t in ec2.describe_instance_types(Filters=wanted)["InstanceTypes"]
    }
    assert "m5.xlarge" in types
    assert "t3.micro" not in types
    refused(
        "UnsupportedOperation", ec2.run_instances, ImageId="ami-0", InstanceType="t3.micro",
        MinCount=1, MaxCount=1, EnclaveOptions={"Enabled": True},
    )  # fmt: skip


def test_a_retry_launches_once(cloud: RunningCloud) -> None:
    ec2 = cloud.client("ec2", COMPUTE)
    first, second = (launch(ec2, ClientToken="same", MaxCount=2) for _ in range(2))
    assert [i["InstanceId"] for i in first] == [i["InstanceId"] for i in second]
    assert len(first) == 2


def test_passing_a_role_needs_leave(cloud: RunningCloud, profile: str, refused: Any) -> None:
    without = cloud.role("Launcher", [allow("ec2:*")], account=COMPUTE)
    options = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}
    refused(
        "UnauthorizedOperation", cloud.client("ec2", without).run_instances,
        IamInstanceProfile={"Name": profile}, **options,
    )  # fmt: skip
    role = f"arn:aws:iam::{COMPUTE}:role/Parent"
    only_ec2 = {"StringEquals": {"iam:PassedToService": SERVICE}}
    leave = cloud.role(
        "Passer",
        [allow("ec2:*"), allow("iam:PassRole", resource=role, Condition=only_ec2)],
        account=COMPUTE,
    )
    launch(cloud.client("ec2", leave), IamInstanceProfile={"Name": profile})
    refused(
        "InvalidParameterValue", cloud.client("ec2", leave).run_instances,
        IamInstanceProfile={"Name": "none"}, **options,
    )  # fmt: skip


def test_accounts_do_not_see_each_other(cloud: RunningCloud, refused: Any) -> None:
    name = launch(cloud.client("ec2", COMPUTE))[0]["InstanceId"]
    refused(
        "InvalidInstanceID.NotFound", cloud.client("ec2").describe_instances, InstanceIds=[name]
    )


def test_profiles(cloud: RunningCloud, profile: str, refused: Any) -> None:
    iam = cloud.client("iam", COMPUTE)
    refused("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName=profile)
    refused(
        "LimitExceeded", iam.add_role_to_instance_profile, InstanceProfileName=profile,
        RoleName="Parent",
    )  # fmt: skip
    refused("DeleteConflict", iam.delete_role, RoleName="Parent")
    refused("DeleteConflict", iam.delete_instance_profile, InstanceProfileName=profile)
    listed = iam.list_instance_profiles()["InstanceProfiles"]  # other tests' among them
    roles = {p["InstanceProfileName"]: [r["RoleName"] for r in p["Roles"]] for p in listed}
    assert roles[profile] == ["Parent"]
    iam.create_instance_profile(InstanceProfileName="Gone")
    iam.delete_instance_profile(InstanceProfileName="Gone")
    refused("NoSuchEntity", iam.get_instance_profile, InstanceProfileName="Gone")
