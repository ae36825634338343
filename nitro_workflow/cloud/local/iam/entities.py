"""Users and roles: create, read, list, delete; trust policies and boundaries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.auth import new_id
from nitro_workflow.cloud.local.call import Call, ServiceFault, refuse_members
from nitro_workflow.cloud.local.gate import Departed, name_by_id, unknown_principal
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.aws_managed import AWS_PREFIX, aws_managed
from nitro_workflow.cloud.local.iam.iam_common import (
    ENTITIES,
    TRUST_SIZE,
    allow,
    arn_of,
    check_document,
    check_size,
    check_tags,
    entity_row,
    name_taken,
    page,
    request_tags,
    require_entity,
    role_shape,
    user_shape,
)

__all__ = ["OPERATIONS", "forget", "require_policy"]

_PREFIX = {"user": "AIDA", "role": "AROA"}
_SESSION_S = 3600  # IAM: MaxSessionDuration, when it is not given


def create_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a role with its trust policy."""
    params = call.params
    refuse_members(call, "MaxSigninSessionDuration")
    return {"Role": role_shape(_create(services, call, "role", params["RoleName"]))}


def create_user(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a user."""
    return {"User": user_shape(_create(services, call, "user", call.params["UserName"]))}


def _create(services: Services, call: Call, kind: str, name: str) -> sqlite3.Row:
    params, account = call.params, call.caller.account
    path, boundary = params.get("Path", "/"), params.get("PermissionsBoundary")
    arn, tags = arn_of(account, kind, path, name), check_tags(params.get("Tags", []))
    context = {"iam:PermissionsBoundary": boundary} if boundary else {}
    allow(services, call, arn, context | request_tags(tags))
    trust = params.get("AssumeRolePolicyDocument")
    if trust is not None:
        _check_trust(trust)
    record = (
        arn, kind, account, name, path, new_id(_PREFIX[kind]), call.now.isoformat(),
        trust, boundary, params.get("Description"),
        params.get("MaxSessionDuration", _SESSION_S), json.dumps(params.get("Tags", [])),
    )  # fmt: skip
    with services.store.transaction() as db:
        if trust is not None:
            _require_trusted(db, trust)
        if boundary:
            require_policy(db, call, boundary)
        _check_entities(db, kind, account)
        if name_taken(db, "entities", account, name, kind=kind):
            text = f"{kind.capitalize()} with name {name} already exists."
            raise ServiceFault("EntityAlreadyExists", text, 409)
        db.execute(f"INSERT INTO entities VALUES ({','.join('?' * len(record))})", record)  # noqa: S608
        row: sqlite3.Row = db.execute("SELECT * FROM entities WHERE arn = ?", (arn,)).fetchone()
    return row


def _check_trust(document: str) -> None:
    check_size(document, TRUST_SIZE)
    check_document(document, "trust")


def _require_trusted(db: sqlite3.Connection, document: str) -> None:
    if unknown := unknown_principal(db, document):
        text = f'Invalid principal in policy: "AWS":"{unknown}"'
        raise ServiceFault("MalformedPolicyDocument", text)


def _check_entities(db: sqlite3.Connection, kind: str, account: str) -> None:
    query = "SELECT count(*) FROM entities WHERE kind = ? AND account = ?"
    quota = ENTITIES[kind]
    if db.execute(query, (kind, account)).fetchone()[0] >= quota.most:
        text = f"Cannot exceed quota for {quota.name}: {quota.most}"
        raise ServiceFault("LimitExceeded", text, 409)


def require_policy(db: sqlite3.Connection, call: Call, arn: str) -> None:
    """Check that a managed policy is there for the caller: their account's, or one of AWS's.

    To be asked in the transaction that names it.

    Another account's policy is its own: who was bound by it would be in that account's hands.

    Raises `ServiceFault`: NoSuchEntity.
    """
    ours = arn.split(":")[4:5] in ([call.caller.account], ["aws"])
    query = "SELECT 1 FROM managed_policies WHERE arn = ?"
    if not ours or db.execute(query, (arn,)).fetchone() is None:
        known = f" Of AWS's, this cloud has {', '.join(aws_managed())}."
        text = f"Policy {arn} does not exist or is not attachable."
        text += known if arn.startswith(AWS_PREFIX) else ""
        raise ServiceFault("NoSuchEntity", text, 404)


def get_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe a role."""
    return {"Role": role_shape(entity_row(services, call, "role", call.params["RoleName"]))}


def get_user(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe a user; without a name, the caller."""
    name = call.params.get("UserName", call.caller.name if call.caller.kind == "user" else "")
    if not name:
        raise ServiceFault("ValidationError", "Must specify userName when calling with non-User")
    return {"User": user_shape(entity_row(services, call, "user", name))}


def list_roles(services: Services, call: Call) -> Mapping[str, Any]:
    """List the account's roles."""
    return page(call, [role_shape(row) for row in _all(services, call, "role")], "Roles")


def list_users(services: Services, call: Call) -> Mapping[str, Any]:
    """List the account's users."""
    return page(call, [user_shape(row) for row in _all(services, call, "user")], "Users")


def _all(services: Services, call: Call, kind: str) -> list[sqlite3.Row]:
    path = call.params.get("PathPrefix", "/")
    allow(services, call, arn_of(call.caller.account, kind, path, "*"))
    query = "SELECT * FROM entities WHERE kind = ? AND account = ? ORDER BY name"
    rows = services.store.read().execute(query, (kind, call.caller.account)).fetchall()
    return [row for row in rows if row["path"].startswith(path)]


def delete_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a role that has no policies left and is in no instance profile."""
    row = entity_row(services, call, "role", call.params["RoleName"])
    with services.store.transaction() as db:
        _must_be_bare(db, row["arn"])
        query = "SELECT 1 FROM instance_profiles WHERE role = ?"
        if db.execute(query, (row["arn"],)).fetchone():
            raise _conflict("Cannot delete entity, must remove roles from instance profile first.")
        _delete(services, db, row)
    return {}


def delete_user(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a user that has no policies and no access keys left."""
    row = entity_row(services, call, "user", call.params["UserName"])
    with services.store.transaction() as db:
        _must_be_bare(db, row["arn"])
        if db.execute("SELECT 1 FROM access_keys WHERE principal = ?", (row["arn"],)).fetchone():
            raise _conflict("Cannot delete entity, must delete access keys first.")
        _delete(services, db, row)
    return {}


def _delete(services: Services, db: sqlite3.Connection, row: sqlite3.Row) -> None:
    db.execute("DELETE FROM entities WHERE arn = ?", (row["arn"],))
    for forget_them in services.forget:
        forget_them(db, Departed(row["arn"], row["id"]))


def forget(db: sqlite3.Connection, gone: Departed) -> None:
    """Name a deleted user or role by their id in trust policies."""
    name_by_id(db, "entities", "trust", gone)


def _must_be_bare(db: sqlite3.Connection, arn: str) -> None:
    if db.execute("SELECT 1 FROM inline_policies WHERE entity = ?", (arn,)).fetchone():
        raise _conflict("Cannot delete entity, must delete policies first.")
    if db.execute("SELECT 1 FROM attachments WHERE entity = ?", (arn,)).fetchone():
        raise _conflict("Cannot delete entity, must detach all policies first.")


def _conflict(message: str) -> ServiceFault:
    return ServiceFault("DeleteConflict", message, 409)


def update_assume_role_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Replace a role's trust policy."""
    row = entity_row(services, call, "role", call.params["RoleName"])
    trust = call.params["PolicyDocument"]
    _check_trust(trust)
    with services.store.transaction() as db:
        require_entity(db, row)
        _require_trusted(db, trust)
        db.execute("UPDATE entities SET trust = ? WHERE arn = ?", (trust, row["arn"]))
    return {}


def _set_boundary(services: Services, call: Call, kind: str, name: str) -> Mapping[str, Any]:
    boundary = call.params.get("PermissionsBoundary")
    context = {"iam:PermissionsBoundary": boundary} if boundary else {}
    row = entity_row(services, call, kind, name, context)
    with services.store.transaction() as db:
        require_entity(db, row)
        if boundary:
            require_policy(db, call, boundary)
        db.execute("UPDATE entities SET boundary = ? WHERE arn = ?", (boundary, row["arn"]))
    return {}


def role_boundary(services: Services, call: Call) -> Mapping[str, Any]:
    """Set or delete a role's permissions boundary."""
    return _set_boundary(services, call, "role", call.params["RoleName"])


def user_boundary(services: Services, call: Call) -> Mapping[str, Any]:
    """Set or delete a user's permissions boundary."""
    return _set_boundary(services, call, "user", call.params["UserName"])


OPERATIONS: Mapping[str, Handler] = {
    "CreateRole": create_role,
    "CreateUser": create_user,
    "DeleteRole": delete_role,
    "DeleteRolePermissionsBoundary": role_boundary,
    "DeleteUser": delete_user,
    "DeleteUserPermissionsBoundary": user_boundary,
    "GetRole": get_role,
    "GetUser": get_user,
    "ListRoles": list_roles,
    "ListUsers": list_users,
    "PutRolePermissionsBoundary": role_boundary,
    "PutUserPermissionsBoundary": user_boundary,
    "UpdateAssumeRolePolicy": update_assume_role_policy,
}
