"""Security groups: the default one, which is kept nowhere, and those that a caller makes.

Source: EC2 API Reference, CreateSecurityGroup, DeleteSecurityGroup; VPC quotas.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import (
    Shape,
    allow,
    arn,
    described,
    named,
    plain,
    stop_if_dry_run,
)
from nitro_workflow.cloud.local.ec2.new_tags import allow_tags, request_tags, tags_at_creation
from nitro_workflow.cloud.local.ec2.surroundings import default_ids, id_of
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["OPERATIONS", "SCHEMA", "group_shapes", "made_group", "no_group"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS security_groups (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT NOT NULL, tags TEXT NOT NULL, ingress TEXT NOT NULL, egress TEXT NOT NULL,
    UNIQUE (account, region, name));
"""

_MOST = 2_500  # VPC quota: security groups of a region
_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_ALL_OUT = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
# A group is in use for as long as an instance is not terminated.
_USED = """
SELECT i.id FROM instances i
JOIN instance_launches l ON l.instance = i.id, json_each(l.document, '$.groups') g
WHERE i.state != 'terminated' AND g.value = ?
"""


def create_security_group(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a group of the default VPC: nothing in, everything out."""
    name, description = call.params["GroupName"], call.params["Description"]
    tags = tags_at_creation(call, "security-group")
    given = tags.get("security-group", [])
    vpc = call.params.get("VpcId", id_of(call, "vpc"))
    allow(services, call, arn(call, "security-group", "*"), request_tags(given))
    allow(services, call, arn(call, "vpc", vpc))
    allow_tags(services, call, tags)
    _check_new(call, name, description, vpc)
    stop_if_dry_run(call)
    made = f"sg-{secrets.token_hex(9)[:17]}"
    with services.store.transaction() as db:
        _check_room(db, call, name, vpc)
        values = (
            made, call.caller.account, call.region, name, description, json.dumps(given), "[]",
            json.dumps(_ALL_OUT),
        )  # fmt: skip
        db.execute("INSERT INTO security_groups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return {
        "GroupId": made,
        "Tags": given,
        "SecurityGroupArn": arn(call, "security-group", made),
    }


def _check_new(call: Call, name: str, description: str, vpc: str) -> None:
    if not _TEXT.fullmatch(name) or name.startswith("sg-"):
        text = f"Invalid value for parameter groupName: {name[:255]!a}"
        raise ServiceFault("InvalidParameterValue", text)
    if not _TEXT.fullmatch(description):
        raise ServiceFault("InvalidParameterValue", "Invalid security group description.")
    if vpc != id_of(call, "vpc"):
        raise ServiceFault("InvalidVpcID.NotFound", f"The vpc ID '{vpc[:64]}' does not exist")


def _check_room(db: sqlite3.Connection, call: Call, name: str, vpc: str) -> None:
    place = (call.caller.account, call.region)
    query = "SELECT name FROM security_groups WHERE account = ? AND region = ?"
    names = {row["name"] for row in db.execute(query, place)} | {"default"}
    if name in names:
        text = f"The security group '{name}' already exists for VPC '{vpc}'"
        raise ServiceFault("InvalidGroup.Duplicate", text)
    if len(names) >= _MOST:
        text = "The maximum number of security groups has been reached."
        raise ServiceFault("SecurityGroupLimitExceeded", text)


def delete_security_group(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a group that no instance uses.

    Raises `ServiceFault`: DependencyViolation, CannotDelete for the default group.
    """
    name = _named_group(services, call)
    allow(services, call, arn(call, "security-group", name))
    with services.store.transaction() as db:
        if name == default_ids(call)[1]:
            text = f'the specified group: "{name}" name: "default" cannot be deleted by a user'
            raise ServiceFault("CannotDelete", text)
        made_group(db, call, name)
        if db.execute(_USED, (name,)).fetchone():
            raise ServiceFault("DependencyViolation", f"resource {name} has a dependent object")
        stop_if_dry_run(call)
        db.execute("DELETE FROM security_groups WHERE id = ?", (name,))
    return {"Return": True, "GroupId": name}


def _named_group(services: Services, call: Call) -> str:
    """Return the group's id; one of the default VPC can be named by its name."""
    if "GroupId" in call.params:
        return str(call.params["GroupId"])
    if "GroupName" not in call.params:
        text = "The request must contain the parameter GroupName or GroupId"
        raise ServiceFault("MissingParameter", text)
    wanted = call.params["GroupName"]
    found = [one for one in group_shapes(services, call) if one["GroupName"] == wanted]
    return str(found[0]["GroupId"]) if found else wanted


def made_group(db: sqlite3.Connection, call: Call, name: str) -> sqlite3.Row:
    """Return the row of a group that the caller's account has made here.

    Raises `ServiceFault`: InvalidGroup.NotFound.
    """
    query = "SELECT * FROM security_groups WHERE id = ? AND account = ? AND region = ?"
    row: sqlite3.Row | None = db.execute(query, (name, call.caller.account, call.region)).fetchone()
    if row is None:
        raise no_group(name)
    return row


def no_group(name: str) -> ServiceFault:
    """Return what EC2 says of a group that is not there."""
    text = f"The security group '{name[:255]}' does not exist"
    return ServiceFault("InvalidGroup.NotFound", text)


def describe_security_groups(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the default group, and those that were made."""
    found = named(
        group_shapes(services, call),
        call.params.get("GroupIds", ()),
        "GroupId",
        "InvalidGroup.NotFound",
    )
    names = call.params.get("GroupNames", ())
    found = named(found, names, "GroupName", "InvalidGroup.NotFound")
    filters = plain("GroupId", "GroupName", "VpcId", "OwnerId", "Description")
    return described(services, call, "SecurityGroups", found, filters)


def group_shapes(services: Services, call: Call) -> list[Shape]:
    """Return EC2's SecurityGroup of every group of the caller's account in the region."""
    query = "SELECT * FROM security_groups WHERE account = ? AND region = ? ORDER BY name"
    rows = services.store.read().execute(query, (call.caller.account, call.region))
    return [_default(call), *(_shape(call, row) for row in rows)]


def _default(call: Call) -> Shape:
    """Return the default group: its members among themselves, and everything out."""
    name = default_ids(call)[1]
    pair = {"GroupId": name, "UserId": call.caller.account}
    ingress = [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]
    return _group(call, name, "default", "default VPC security group", ingress, _ALL_OUT, [])


def _shape(call: Call, row: sqlite3.Row) -> Shape:
    rules = json.loads(row["ingress"]), json.loads(row["egress"])
    tags = json.loads(row["tags"])
    return _group(call, row["id"], row["name"], row["description"], *rules, tags)


def _group(
    call: Call, name: str, title: str, about: str, ingress: Any, egress: Any, tags: Any
) -> Shape:
    return {
        "GroupId": name,
        "GroupName": title,
        "Description": about,
        "OwnerId": call.caller.account,
        "VpcId": id_of(call, "vpc"),
        "SecurityGroupArn": arn(call, "security-group", name),
        "IpPermissions": ingress,
        "IpPermissionsEgress": egress,
        "Tags": tags,
    }


OPERATIONS: Mapping[str, Handler] = {
    "CreateSecurityGroup": create_security_group,
    "DeleteSecurityGroup": delete_security_group,
    "DescribeSecurityGroups": describe_security_groups,
}
