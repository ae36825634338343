"""What RunInstances is told on AWS: machine image, type, subnet, a group that lets nothing in.

Kept by the launch's token before the call is made: EC2 takes a token again with the same
parameters only, and a machine image or our program may be newer by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import cloud_errors, error_code, security_group
from nitro_workflow.errors import HostError
from nitro_workflow.host.ec2.kept_records import keep_record, read_record
from nitro_workflow.host.rules.limits import VOLUME_GIB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nitro_workflow.cloud import AwsCloud

__all__ = ["RECORD_LIMIT", "InstancePlace", "MachineLaunch"]

RECORD_LIMIT: Final = 256 * 1024  # bytes; user data has 6 KiB

NO_ROOM: Final = frozenset({"InsufficientInstanceCapacity", "Unsupported"})
"""What EC2 answers where a zone has none of that type: another zone may have."""

ROOT_DEVICE: Final = "/dev/xvda"
"""Of AL2023's images. [src: AL2023 user guide]"""


@dataclass(frozen=True, slots=True)
class InstancePlace:
    """Where the instance may be: its type, the machine image's parameter, subnets in order."""

    instance_type: str
    machine_image: str
    subnets: tuple[str, ...]


class MachineLaunch:
    """The launches of one lab. ``start`` gives the user data's text; ``place`` asks once."""

    def __init__(
        self,
        cloud: AwsCloud,
        client: Callable[[str], Any],
        place: Callable[[], InstancePlace],
        start: Callable[[], str],
        record: Path,
    ) -> None:
        self._cloud = cloud
        self._client = client
        self._place = place
        self._start = start
        self._record = record
        self._tried: list[str] = []

    def settings(self, token: str) -> dict[str, Any]:
        """Return the parameters of that launch, the same for the same token."""
        known = read_record(self._record, RECORD_LIMIT)
        if known.get("token") == token:
            return dict(known["settings"])
        with cloud_errors("what RunInstances is told"):
            settings = self._settings()
        keep_record(self._record, {"token": token, "settings": settings})
        return settings

    def succeeded(self) -> None:
        """Begin with the first subnet again at the next launch."""
        self._tried.clear()

    def again(self, code: str) -> str:
        """Return the subnet that is tried next after a refusal with ``code``; "" for none."""
        if code not in NO_ROOM:
            return ""
        settings = read_record(self._record, RECORD_LIMIT).get("settings", {})
        self._tried.append(str(settings.get("SubnetId")))
        return next(iter(self._left()), "")

    def _left(self) -> list[str]:
        return [one for one in self._place().subnets if one not in self._tried]

    def _settings(self) -> dict[str, Any]:
        place = self._place()
        subnet = next(iter(self._left()), "")
        if not subnet:
            raise HostError(
                f"no subnet for {place.instance_type}",
                expected="a subnet with a way out, in a zone that has this type",
                where="host ec2",
                next="`nitro-workflow aws check` says what there is; --subnet names one",
            )
        tags = [{"Key": key, "Value": value} for key, value in self._tags.items()]
        disk = {"VolumeSize": VOLUME_GIB, "VolumeType": "gp3", "Encrypted": True}
        return {
            "ImageId": self._machine_image(place.machine_image),
            "InstanceType": place.instance_type,
            "SubnetId": subnet,
            "SecurityGroupIds": [self._group(subnet)],
            "UserData": self._start(),
            "InstanceInitiatedShutdownBehavior": "terminate",
            "BlockDeviceMappings": [
                {"DeviceName": ROOT_DEVICE, "Ebs": {**disk, "DeleteOnTermination": True}}
            ],
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": tags}
                for kind in ("instance", "volume", "network-interface")
            ],
        }

    @property
    def _tags(self) -> Mapping[str, str]:
        return {"nitro-workflow-lab": self._cloud.identity, **self._cloud.tags}

    def _machine_image(self, parameter: str) -> str:
        answer = self._client("ssm").get_parameter(Name=parameter)
        return str(answer["Parameter"]["Value"])

    def _group(self, subnet: str) -> str:
        """Return the group of the lab in the subnet's network; raises `HostError` for an open one.

        A new group lets nothing in and everything out (EC2 API Reference, CreateSecurityGroup).
        """
        ec2 = self._client("ec2")
        (found,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
        known = self._known_group(ec2, str(found["VpcId"]))
        if known is None:
            return self._new_group(ec2, str(found["VpcId"]))
        if known.get("IpPermissions"):
            raise HostError(
                f"security group {known['GroupId']} lets something in",
                expected="a group without inbound rules: commands come through SSM",
                where="host ec2",
                next="remove its inbound rules, and see who has added them",
            )
        return str(known["GroupId"])

    def _known_group(self, ec2: Any, vpc: str) -> Mapping[str, Any] | None:
        filters = [
            {"Name": "group-name", "Values": [security_group(self._cloud.identity)]},
            {"Name": "vpc-id", "Values": [vpc]},
        ]
        groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return next(iter(groups), None)

    def _new_group(self, ec2: Any, vpc: str) -> str:
        from botocore.exceptions import ClientError

        tags = [{"Key": key, "Value": value} for key, value in self._cloud.tags.items()]
        try:
            made = ec2.create_security_group(
                GroupName=security_group(self._cloud.identity),
                Description="nitro-workflow: nothing in",
                VpcId=vpc,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
            )
        except ClientError as error:  # made a moment ago, and not yet described
            known = self._known_group(ec2, vpc)
            if error_code(error) != "InvalidGroup.Duplicate" or known is None:
                raise
            return str(known["GroupId"])
        return str(made["GroupId"])
