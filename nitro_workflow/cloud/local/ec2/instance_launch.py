"""RunInstances: records of new instances, within the account's quota."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import allow, arn, stop_if_dry_run
from nitro_workflow.cloud.local.ec2.instance_records import INSTANCES, reservation
from nitro_workflow.cloud.local.ec2.instance_types import TYPES, check_type
from nitro_workflow.cloud.local.ec2.surroundings import default_ids
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["MAX_VCPUS", "OPERATIONS"]

DEFAULT_TYPE = "m5.xlarge"
DEFAULT_IMAGE = "ami-00000000000000000"
# EC2 quota L-1216C47A, "Running On-Demand Standard instances", in vCPUs of one account in one
# region. A new account of AWS's has a few, and AWS raises it with use: this is a well-used one's.
MAX_VCPUS = 4096
_MAX_ENDED = 200  # records of terminated instances that are kept; AWS keeps them for an hour
_MAX_TAGS = 50  # EC2 quota: tags of one resource
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")  # EC2 API Reference, "Ensuring idempotency"
# What a launch may say. Whatever else of the model would be passed over is refused by name.
_DONE = frozenset(
    {
        *("ClientToken", "DryRun", "EnclaveOptions", "IamInstanceProfile", "ImageId"),
        *("InstanceType", "MaxCount", "MetadataOptions", "MinCount", "SecurityGroupIds"),
        *("SubnetId", "TagSpecifications"),
    }
)


_IMDS = frozenset({("HttpTokens", "required"), ("HttpEndpoint", "enabled")})


def run_instances(services: Services, call: Call) -> Mapping[str, Any]:
    """Make records of instances; whoever gives them a role must be allowed to pass it."""
    params = call.params
    kind = params.get("InstanceType", DEFAULT_TYPE)
    enclave = bool(params.get("EnclaveOptions", {}).get("Enabled", False))
    check_type(kind, enclave=enclave)
    profile = _profile(services, call)
    context = {"ec2:InstanceType": kind}
    if profile is not None:
        context["ec2:InstanceProfile"] = profile["arn"]
    allow(services, call, arn(call, "instance", "*"), context)
    if profile is not None:
        _check_pass_role(services, call, profile)
    tags = _check(call)
    stop_if_dry_run(call)
    arn_of_profile = profile["arn"] if profile is not None else None
    return reservation(_insert(services, call, kind, enclave, arn_of_profile, tags))


def _profile(services: Services, call: Call) -> sqlite3.Row | None:
    stated = call.params.get("IamInstanceProfile", {})
    column, value = ("arn", stated["Arn"]) if "Arn" in stated else ("name", stated.get("Name"))
    if value is None:
        return None
    query = f"SELECT * FROM instance_profiles WHERE account = ? AND {column} = ?"  # noqa: S608
    row: sqlite3.Row | None = (
        services.store.read().execute(query, (call.caller.account, value)).fetchone()
    )
    if row is None:
        text = f"Value ({value}) for parameter iamInstanceProfile.{column} is invalid."
        raise ServiceFault("InvalidParameterValue", f"{text} Invalid IAM Instance Profile {column}")
    return row


def _check_pass_role(services: Services, call: Call, profile: sqlite3.Row) -> None:
    if profile["role"]:
        services.gate.authorize(
            call,
            "iam:PassRole",
            profile["role"],
            resource_account=profile["account"],
            context={"iam:PassedToService": "ec2.amazonaws.com"},
        )


def _check(call: Call) -> list[dict[str, str]]:
    """Check what the launch says; return the instances' tags.

    Raises `ServiceFault`: UnsupportedOperation for what is not done, InvalidParameter… otherwise.
    """
    params = call.params
    undone = sorted(name for name in params if name not in _DONE)
    # An instance here has IMDSv2 and nothing else.
    stated = params.get("MetadataOptions", {}).items()
    undone += [f"MetadataOptions.{name}" for name, value in stated if (name, value) not in _IMDS]
    if undone:
        text = f"This local cloud does not do RunInstances with {', '.join(undone)}."
        raise ServiceFault("UnsupportedOperation", text)
    if not 1 <= params["MinCount"] <= params["MaxCount"]:
        text = f"Invalid value '{params['MinCount']}' for minCount: 1 to maxCount."
        raise ServiceFault("InvalidParameterValue", text)
    if "ClientToken" in params and not _TOKEN.fullmatch(params["ClientToken"]):
        raise ServiceFault("InvalidParameterValue", "ClientToken: 64 printable letters at most.")
    subnets, group = default_ids(call)
    if params.get("SubnetId", subnets[0]) not in subnets:
        text = f"The subnet ID '{params['SubnetId']}' does not exist"
        raise ServiceFault("InvalidSubnetID.NotFound", text)
    for name in params.get("SecurityGroupIds", ()):
        if name != group:
            text = f"The security group '{name}' does not exist"
            raise ServiceFault("InvalidGroup.NotFound", text)
    return _tags(params)


def _tags(params: Mapping[str, Any]) -> list[dict[str, str]]:
    tags: list[dict[str, str]] = []
    for part in params.get("TagSpecifications", ()):
        if part.get("ResourceType") != "instance":
            text = f"This local cloud does not tag {part.get('ResourceType')} at launch."
            raise ServiceFault("UnsupportedOperation", text)
        tags += part.get("Tags", ())
    if len(tags) > _MAX_TAGS or any(tag["Key"].lower().startswith("aws:") for tag in tags):
        text = f"At most {_MAX_TAGS} tags, and none whose key begins with aws:."
        raise ServiceFault("InvalidParameterValue", text)
    return tags


def _insert(
    services: Services,
    call: Call,
    kind: str,
    enclave: bool,
    profile: str | None,
    tags: Sequence[Mapping[str, str]],
) -> Sequence[sqlite3.Row]:
    params, account = call.params, call.caller.account
    token = params.get("ClientToken")
    with services.store.transaction() as db:
        # A retry with the same token is the same launch (EC2 API Reference, idempotency).
        query = f"{INSTANCES} WHERE account = ? AND token = ? AND region = ?"
        if token and (known := db.execute(query, (account, token, call.region)).fetchall()):
            return list(known)
        _check_quota(db, call, kind)
        launch = f"r-{secrets.token_hex(8)}0"[:19]
        for _ in range(params["MaxCount"]):
            name = f"i-{secrets.token_hex(9)[:17]}"
            values = (
                name, account, launch, params.get("ImageId", DEFAULT_IMAGE), kind, int(enclave),
                profile, "running", call.now.isoformat(), token, json.dumps(list(tags)),
            )  # fmt: skip
            db.execute(f"INSERT INTO instances VALUES ({','.join('?' * len(values))})", values)  # noqa: S608
            db.execute("INSERT INTO instance_regions VALUES (?, ?)", (name, call.region))
        return db.execute(f"{INSTANCES} WHERE reservation = ?", (launch,)).fetchall()


def _check_quota(db: sqlite3.Connection, call: Call, kind: str) -> None:
    """Refuse a launch beyond the account's vCPUs, and forget the oldest that have ended."""
    place = (call.caller.account, call.region)
    query = f"SELECT type FROM ({INSTANCES}) WHERE account = ? AND region = ? AND state = 'running'"  # noqa: S608
    used = sum(TYPES[row["type"]][0] for row in db.execute(query, place))
    if used + TYPES[kind][0] * call.params["MaxCount"] > MAX_VCPUS:
        text = (
            "You have requested more vCPU capacity than your current vCPU limit of "
            f"{MAX_VCPUS} allows for the instance bucket that the specified instance type belongs "
            "to."
        )
        raise ServiceFault("VcpuLimitExceeded", text)
    ended = "SELECT id FROM instances WHERE account = ?1 AND state = 'terminated'"
    query = f"DELETE FROM instances WHERE id IN ({ended} ORDER BY launched DESC LIMIT -1 OFFSET ?2)"  # noqa: S608
    db.execute(query, (place[0], _MAX_ENDED))


OPERATIONS: Mapping[str, Handler] = {"RunInstances": run_instances}
