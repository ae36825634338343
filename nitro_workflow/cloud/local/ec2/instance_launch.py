"""RunInstances: records of new instances, within the account's quota."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import allow, arn, stop_if_dry_run
from nitro_workflow.cloud.local.ec2.instance_records import INSTANCES, reservation
from nitro_workflow.cloud.local.ec2.instance_types import TYPES
from nitro_workflow.cloud.local.ec2.new_tags import allow_tags, request_tags
from nitro_workflow.cloud.local.ec2.requested_launch import RequestedLaunch, read_launch
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["MAX_VCPUS", "OPERATIONS"]

# EC2 quota L-1216C47A, "Running On-Demand Standard instances", in vCPUs of one account in one
# region. A new account of AWS's has a few, and AWS raises it with use: this is a well-used one's.
MAX_VCPUS = 4096
_MAX_ENDED = 200  # records of terminated instances that are kept; AWS keeps them for an hour


def run_instances(services: Services, call: Call) -> Mapping[str, Any]:
    """Make records of instances; whoever gives them a role must be allowed to pass it."""
    launch = read_launch(services, call)
    profile = _profile(services, call)
    context = {"ec2:InstanceType": launch.kind, **request_tags(launch.tags.get("instance", []))}
    if profile is not None:
        context["ec2:InstanceProfile"] = profile["arn"]
    allow(services, call, arn(call, "instance", "*"), context)
    for resource in _used(call, launch):
        allow(services, call, resource)
    allow_tags(services, call, launch.tags)
    if profile is not None:
        _check_pass_role(services, call, profile)
    stop_if_dry_run(call)
    arn_of_profile = profile["arn"] if profile is not None else None
    return reservation(_insert(services, call, launch, arn_of_profile))


def _used(call: Call, launch: RequestedLaunch) -> list[str]:
    """Return what else a launch uses or makes: EC2 asks for each of them."""
    image = f"arn:aws:ec2:{call.region}::image/{launch.image}"
    groups = [arn(call, "security-group", name) for name in launch.groups]
    made = [arn(call, kind, "*") for kind in ("network-interface", "volume")]
    return [image, arn(call, "subnet", launch.subnet), *groups, *made]


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


def _insert(
    services: Services, call: Call, launch: RequestedLaunch, profile: str | None
) -> Sequence[sqlite3.Row]:
    params, account = call.params, call.caller.account
    token = params.get("ClientToken")
    with services.store.transaction() as db:
        if token and (known := _launched(db, call, token, launch)):
            return known
        _check_quota(db, call, launch.kind)
        name_of_launch = f"r-{secrets.token_hex(8)}0"[:19]
        for _ in range(params["MaxCount"]):
            name = f"i-{secrets.token_hex(9)[:17]}"
            values = (
                name, account, name_of_launch, launch.image, launch.kind, int(launch.enclave),
                profile, "running", call.now.isoformat(), token,
                json.dumps(launch.tags.get("instance", [])),
            )  # fmt: skip
            db.execute(f"INSERT INTO instances VALUES ({','.join('?' * len(values))})", values)  # noqa: S608
            db.execute("INSERT INTO instance_regions VALUES (?, ?)", (name, call.region))
            kept = json.dumps(launch.document)
            db.execute("INSERT INTO instance_launches VALUES (?, ?)", (name, kept))
        return db.execute(f"{INSTANCES} WHERE reservation = ?", (name_of_launch,)).fetchall()


def _launched(
    db: sqlite3.Connection, call: Call, token: str, launch: RequestedLaunch
) -> list[sqlite3.Row]:
    """Return what a launch with that token has made (EC2 API Reference, idempotency).

    Raises `ServiceFault`: IdempotentParameterMismatch, where it was told something else.
    """
    query = f"{INSTANCES} WHERE account = ? AND token = ? AND region = ?"
    known = db.execute(query, (call.caller.account, token, call.region)).fetchall()
    # An instance of an earlier version of this cloud has no document.
    told = {json.loads(row["launch"])["digest"] for row in known if row["launch"]}
    if told - {launch.document["digest"]}:
        text = (
            "Arguments on this idempotent request are inconsistent with arguments used in "
            "previous AWS request(s)"
        )
        raise ServiceFault("IdempotentParameterMismatch", text)
    return known


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
    ended = "SELECT id FROM instances WHERE account = ? AND state = 'terminated'"
    query = f"DELETE FROM instances WHERE id IN ({ended} ORDER BY launched DESC LIMIT -1 OFFSET ?)"  # noqa: S608
    db.execute(query, (place[0], _MAX_ENDED))


OPERATIONS: Mapping[str, Handler] = {"RunInstances": run_instances}
