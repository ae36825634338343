"""Instance profiles: what puts a role on an EC2 instance."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.auth import new_id
from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.iam_common import (
    PROFILES,
    allow,
    arn_of,
    check_quota,
    check_tags,
    drop_tags,
    keep_tags,
    kept_tags,
    name_taken,
    no_such,
    page,
    request_tags,
    require_entity,
    role_shape,
)

__all__ = ["OPERATIONS"]

_KIND = "instance-profile"


def _shape(services: Services, row: sqlite3.Row) -> dict[str, Any]:
    query = "SELECT * FROM entities WHERE arn = ?"
    role = services.store.read().execute(query, (row["role"],)).fetchone()
    return {
        "Path": row["path"],
        "InstanceProfileName": row["name"],
        "InstanceProfileId": row["id"],
        "Arn": row["arn"],
        "CreateDate": datetime.fromisoformat(row["created"]),
        "Roles": [role_shape(role)] if role else [],
    }


def _row(services: Services, call: Call) -> sqlite3.Row:
    """Return the profile; AWS's own side belongs to no account and looks in all of them."""
    name, account = call.params["InstanceProfileName"], call.caller.account
    query, values = "SELECT * FROM instance_profiles WHERE name = ?", [name]
    if not call.caller.is_service:
        query, values = f"{query} AND account = ?", [name, account]
    row: sqlite3.Row | None = services.store.read().execute(query, values).fetchone()
    allow(services, call, row["arn"] if row else arn_of(account, _KIND, "/", name))
    if row is None:
        raise no_such(_KIND, name)
    return row


def create_instance_profile(services: Services, call: Call) -> Mapping[str, Any]:
    """Make an instance profile, empty at first."""
    name, path = call.params["InstanceProfileName"], call.params.get("Path", "/")
    account = call.caller.account
    arn = arn_of(account, _KIND, path, name)
    tags = call.params.get("Tags", [])
    allow(services, call, arn, request_tags(check_tags(tags)))
    values = (arn, account, name, path, new_id("AIPA"), call.now.isoformat(), None)
    with services.store.transaction() as db:
        check_quota(db, "instance_profiles", "account", account, PROFILES)
        if name_taken(db, "instance_profiles", account, name):
            text = f"Instance Profile {name} already exists."
            raise ServiceFault("EntityAlreadyExists", text, 409)
        db.execute("INSERT INTO instance_profiles VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        keep_tags(db, arn, tags)
        row = db.execute("SELECT * FROM instance_profiles WHERE arn = ?", (arn,)).fetchone()
        tagged = kept_tags(db, arn)
    return {"InstanceProfile": {**_shape(services, row), **tagged}}


def get_instance_profile(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe an instance profile and its role."""
    row = _row(services, call)
    tagged = kept_tags(services.store.read(), row["arn"])
    return {"InstanceProfile": {**_shape(services, row), **tagged}}


def list_instance_profiles(services: Services, call: Call) -> Mapping[str, Any]:
    """List the account's instance profiles."""
    path = call.params.get("PathPrefix", "/")
    allow(services, call, arn_of(call.caller.account, _KIND, path, "*"))
    query = (
        "SELECT * FROM instance_profiles WHERE account = ? AND substr(path, 1, ?) = ? ORDER BY name"
    )
    values = (call.caller.account, len(path), path)
    rows = services.store.read().execute(query, values).fetchall()
    return page(call, [_shape(services, row) for row in rows], "InstanceProfiles")


def add_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Put a role in a profile: whoever does so must be allowed to pass that role."""
    row, name = _row(services, call), call.params["RoleName"]
    query = "SELECT * FROM entities WHERE kind = 'role' AND account = ? AND name = ?"
    role = services.store.read().execute(query, (call.caller.account, name)).fetchone()
    if role is None:
        raise no_such("role", name)
    services.gate.authorize(
        call,
        "iam:PassRole",
        role["arn"],
        resource_account=call.caller.account,
        context={"iam:PassedToService": "ec2.amazonaws.com"},
    )
    if row["role"]:
        text = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
        raise ServiceFault("LimitExceeded", text, 409)
    return _set_role(services, row["arn"], role)


def remove_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Take the role out of a profile: the role that the call names, if it is there."""
    row, name = _row(services, call), call.params["RoleName"]
    query = "SELECT 1 FROM entities WHERE arn = ? AND name = ?"
    if services.store.read().execute(query, (row["role"], name)).fetchone() is None:
        raise no_such("role", name)
    return _set_role(services, row["arn"], None)


def _set_role(services: Services, profile: str, role: sqlite3.Row | None) -> Mapping[str, Any]:
    with services.store.transaction() as db:
        if role is not None:
            require_entity(db, role)
        arn = role["arn"] if role is not None else None
        db.execute("UPDATE instance_profiles SET role = ? WHERE arn = ?", (arn, profile))
    return {}


def delete_instance_profile(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete an empty instance profile."""
    row = _row(services, call)
    if row["role"]:
        text = "Cannot delete entity, must remove roles from instance profile first."
        raise ServiceFault("DeleteConflict", text, 409)
    with services.store.transaction() as db:
        db.execute("DELETE FROM instance_profiles WHERE arn = ?", (row["arn"],))
        drop_tags(db, row["arn"])
    return {}


OPERATIONS: Mapping[str, Handler] = {
    "AddRoleToInstanceProfile": add_role,
    "CreateInstanceProfile": create_instance_profile,
    "DeleteInstanceProfile": delete_instance_profile,
    "GetInstanceProfile": get_instance_profile,
    "ListInstanceProfiles": list_instance_profiles,
    "RemoveRoleFromInstanceProfile": remove_role,
}
