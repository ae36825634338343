"""What the hypervisor asks of the cloud, with AWS's own credential: an instance's record and role.

PCR3 and PCR4 come from here, never from a caller. A small protocol, so that tests need no cloud.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from nitro_workflow.cloud import REGION, Endpoint, isolated_session
from nitro_workflow.errors import CloudUnavailable, HostError, LabError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["CloudRecords", "InstanceRecord", "LabCloud", "RoleCredentials"]

SERVICE: Final = "ec2.amazonaws.com"
"""The principal whose key pair AWS's side of the lab holds."""

CREDENTIAL_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """An instance as the control plane knows it; ``role_arn`` is its profile's role, if any."""

    instance_id: str
    role_arn: str | None
    enclaves_enabled: bool
    state: str
    hop_limit: int = 1
    region: str = REGION
    account: str = ""
    instance_type: str = ""


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """Temporary credentials of a role."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime

    def __repr__(self) -> str:
        return f"RoleCredentials({self.access_key_id!r}, expiration={self.expiration!r})"


class CloudRecords(Protocol):
    """What a hypervisor needs of the cloud."""

    def address(self) -> Endpoint:
        """Return where the cloud answers; raises `CloudUnavailable`."""

    def instance(self, instance_id: str) -> InstanceRecord:
        """Return the record; raises `HostError` when there is none."""

    def role_credentials(self, record: InstanceRecord) -> RoleCredentials:
        """Return fresh credentials of the instance's role; raises `HostError`."""


class LabCloud:
    """The local cloud of a lab folder."""

    def __init__(self, lab: Path) -> None:
        self._folder = lab / "cloud"

    def address(self) -> Endpoint:
        """Return where the cloud answers, as its ``endpoint.json`` says."""
        try:
            at = Endpoint.of(self._folder.parent)
            known = bool(at.host and at.port)
        except ValueError as error:
            raise _half_written("cloud/endpoint.json") from error
        if not known:
            raise _half_written("cloud/endpoint.json")
        return at

    def instance(self, instance_id: str) -> InstanceRecord:
        """Return the record that DescribeInstances gives, with the role behind its profile."""
        answer = self._call("ec2", "describe_instances", InstanceIds=[instance_id])
        found = [
            it for group in answer.get("Reservations", []) for it in group.get("Instances", [])
        ]
        if not found:
            raise _unknown(instance_id)
        it, owner = found[0], answer["Reservations"][0].get("OwnerId", "")
        return InstanceRecord(
            instance_id=it["InstanceId"],
            role_arn=self._role_of(it.get("IamInstanceProfile", {}).get("Arn")),
            enclaves_enabled=bool(it.get("EnclaveOptions", {}).get("Enabled")),
            state=it.get("State", {}).get("Name", "unknown"),
            hop_limit=int(it.get("MetadataOptions", {}).get("HttpPutResponseHopLimit", 1)),
            account=owner,
            instance_type=it.get("InstanceType", ""),
        )

    def role_credentials(self, record: InstanceRecord) -> RoleCredentials:
        """Assume the instance's role, as EC2 does for an instance profile."""
        answer = self._call(
            "sts",
            "assume_role",
            RoleArn=record.role_arn,
            RoleSessionName=record.instance_id,
            DurationSeconds=CREDENTIAL_SECONDS,
        )
        it = answer["Credentials"]
        return RoleCredentials(
            it["AccessKeyId"], it["SecretAccessKey"], it["SessionToken"], it["Expiration"]
        )

    def _role_of(self, profile_arn: str | None) -> str | None:
        if profile_arn is None:
            return None
        name = profile_arn.rpartition("/")[2]
        profile = self._call("iam", "get_instance_profile", InstanceProfileName=name)
        if profile["InstanceProfile"].get("Arn") != profile_arn:
            # Names are each account's own: another's profile would lend another's role.
            raise HostError(
                f"{profile['InstanceProfile'].get('Arn')}",
                expected=profile_arn,
                where="hypervisor, asking the cloud for the instance profile",
                next="two accounts have a profile of that name: give yours another",
            )
        roles = profile["InstanceProfile"].get("Roles", [])
        return str(roles[0]["Arn"]) if roles else None

    def _call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        import botocore.config
        import botocore.exceptions

        address, keys = self.address(), self._keys()
        config = botocore.config.Config(
            retries={"max_attempts": 2}, connect_timeout=3, read_timeout=15
        )
        client = isolated_session(lambda: address, keys, party=SERVICE).client(
            service, config=config
        )
        try:
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        except botocore.exceptions.ClientError as error:
            raise _refused(service, operation, error.response.get("Error", {})) from error
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise CloudUnavailable(
                f"{service} {operation} failed ({type(error).__name__})",
                expected="an answer",
                where=address.url,
                next="start the lab's cloud again: any step does it",
            ) from error
        finally:
            client.close()
        return answer

    def _keys(self) -> dict[str, str]:
        body = self._read("credentials.json")
        try:
            own = body[SERVICE]
            return {name: str(own[name]) for name in ("access_key_id", "secret_access_key")}
        except (KeyError, TypeError) as error:
            raise _half_written("cloud/credentials.json") from error

    def _read(self, name: str) -> dict[str, Any]:
        try:
            body = json.loads((self._folder / name).read_bytes())
        except FileNotFoundError as error:
            raise CloudUnavailable(
                f"no cloud/{name}",
                expected="a cloud that has been started",
                where="lab folder",
                next="start the lab's cloud: any step does it",
            ) from error
        except (OSError, ValueError) as error:
            raise _half_written(f"cloud/{name}") from error
        if not isinstance(body, dict):
            raise _half_written(f"cloud/{name}")
        return body


def _refused(service: str, operation: str, error: dict[str, Any]) -> HostError:
    return HostError(
        f"{error.get('Code', '?')}: {error.get('Message', '')}",
        expected=f"{service} to answer {operation}",
        where="hypervisor, asking the cloud",
        next="see the instance's record: RunInstances, its profile and that role's trust policy",
    )


def _unknown(instance_id: str) -> HostError:
    return HostError(
        f"no instance {instance_id}",
        expected="an instance that RunInstances made",
        where="hypervisor",
        next="run step P8",
    )


def _half_written(name: str) -> LabError:
    return LabError(
        "missing fields, or not JSON",
        expected="what the cloud writes when it starts",
        where=name,
        next="`nitro-workflow down`, then run the step again",
    )
