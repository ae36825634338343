"""Managed policies, the account's and AWS's: one version each; attached, or somebody's boundary."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.auth import new_id
from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.entities import require_policy
from nitro_workflow.cloud.local.iam.iam_common import (
    ATTACHED,
    MANAGED_SIZE,
    POLICIES,
    allow,
    arn_of,
    check_document,
    check_quota,
    check_size,
    check_tags,
    drop_tags,
    entity_row,
    keep_tags,
    kept_tags,
    name_taken,
    page,
    request_tags,
    require_entity,
    url_encoded,
)

__all__ = ["OPERATIONS"]

_Half = Callable[[Services, Call, str], Mapping[str, Any]]


def _shape(row: sqlite3.Row) -> dict[str, Any]:
    created = datetime.fromisoformat(row["created"])
    return {
        "PolicyName": row["name"],
        "PolicyId": row["id"],
        "Arn": row["arn"],
        "Path": row["path"],
        "DefaultVersionId": "v1",
        "IsAttachable": True,
        "CreateDate": created,
        "UpdateDate": created,
    }


def _row(services: Services, call: Call) -> sqlite3.Row:
    arn = call.params["PolicyArn"]
    allow(services, call, arn)
    query = "SELECT * FROM managed_policies WHERE arn = ?"
    row: sqlite3.Row | None = services.store.read().execute(query, (arn,)).fetchone()
    if row is None:
        raise ServiceFault("NoSuchEntity", f"Policy {arn} was not found.", 404)
    return row


def create_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a managed policy."""
    params, account = call.params, call.caller.account
    arn = arn_of(account, "policy", params.get("Path", "/"), params["PolicyName"])
    tags = check_tags(params.get("Tags", []))
    allow(services, call, arn, request_tags(tags))
    check_size(params["PolicyDocument"], MANAGED_SIZE)
    check_document(params["PolicyDocument"], "identity")
    record = (
        arn, account, params["PolicyName"], params.get("Path", "/"), new_id("ANPA"),
        call.now.isoformat(), params["PolicyDocument"], params.get("Description"),
    )  # fmt: skip
    with services.store.transaction() as db:
        check_quota(db, "managed_policies", "account", account, POLICIES)
        if name_taken(db, "managed_policies", account, params["PolicyName"]):
            text = f"A policy called {params['PolicyName']} already exists."
            raise ServiceFault("EntityAlreadyExists", text, 409)
        db.execute("INSERT INTO managed_policies VALUES (?, ?, ?, ?, ?, ?, ?, ?)", record)
        keep_tags(db, arn, params.get("Tags", []))
        row = db.execute("SELECT * FROM managed_policies WHERE arn = ?", (arn,)).fetchone()
        return {"Policy": {**_shape(row), **kept_tags(db, arn)}}


def get_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe a managed policy."""
    row = _row(services, call)
    described = {"Description": row["description"]} if row["description"] else {}
    return {"Policy": {**_shape(row), **described, **kept_tags(services.store.read(), row["arn"])}}


def get_policy_version(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the document of a managed policy; there is one version, ``v1``."""
    row = _row(services, call)
    if call.params["VersionId"] != "v1":
        raise ServiceFault("NoSuchEntity", "The policy has the version v1 only.", 404)
    version = {
        "Document": url_encoded(row["document"]),
        "VersionId": "v1",
        "IsDefaultVersion": True,
        "CreateDate": datetime.fromisoformat(row["created"]),
    }
    return {"PolicyVersion": version}


def list_policy_versions(services: Services, call: Call) -> Mapping[str, Any]:
    """List the one version there is."""
    row = _row(services, call)
    created = datetime.fromisoformat(row["created"])
    version = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": created}
    return page(call, [version], "Versions")


def list_policies(services: Services, call: Call) -> Mapping[str, Any]:
    """List the account's policies, AWS's, or both."""
    params, account = call.params, call.caller.account
    allow(services, call, arn_of(account, "policy", params.get("PathPrefix", "/"), "*"))
    if params.get("PolicyUsageFilter"):
        text = "This cloud does not do ListPolicies with a PolicyUsageFilter."
        raise ServiceFault("UnsupportedOperationException", text, 501)
    owners = {"AWS": ("aws", "aws"), "Local": (account, account)}
    query = (
        "SELECT *, EXISTS (SELECT 1 FROM attachments WHERE policy = arn) AS used "
        "FROM managed_policies WHERE account IN (?, ?) ORDER BY name"
    )
    values = owners.get(params.get("Scope", "All"), (account, "aws"))
    rows = [
        row
        for row in services.store.read().execute(query, values)
        if row["path"].startswith(params.get("PathPrefix", "/"))
        and (row["used"] or not params.get("OnlyAttached"))
    ]
    return page(call, [_shape(row) for row in rows], "Policies")


def delete_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a managed policy that nothing uses."""
    row = _row(services, call)
    if row["account"] == "aws":
        raise ServiceFault("AccessDenied", f"{row['arn']} is AWS's own.", 403)
    with services.store.transaction() as db:
        used = db.execute(
            "SELECT 1 FROM attachments WHERE policy = ? "
            "UNION SELECT 1 FROM entities WHERE boundary = ?",
            (row["arn"], row["arn"]),
        ).fetchone()
        if used:
            raise ServiceFault(
                "DeleteConflict", "Cannot delete a policy attached to entities.", 409
            )
        db.execute("DELETE FROM managed_policies WHERE arn = ?", (row["arn"],))
        drop_tags(db, row["arn"])
    return {}


def _attach(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row, arn = _entity(services, call, kind), call.params["PolicyArn"]
    with services.store.transaction() as db:
        require_entity(db, row)
        require_policy(db, call, arn)
        known = "SELECT 1 FROM attachments WHERE entity = ? AND policy = ?"
        if db.execute(known, (row["arn"], arn)).fetchone() is None:
            check_quota(db, "attachments", "entity", row["arn"], ATTACHED[kind.lower()])
        db.execute("INSERT OR IGNORE INTO attachments VALUES (?, ?)", (row["arn"], arn))
    return {}


def _detach(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row, arn = _entity(services, call, kind), call.params["PolicyArn"]
    with services.store.transaction() as db:
        query = "DELETE FROM attachments WHERE entity = ? AND policy = ?"
        if db.execute(query, (row["arn"], arn)).rowcount == 0:
            raise ServiceFault("NoSuchEntity", f"Policy {arn} was not found.", 404)
    return {}


def _attached(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = _entity(services, call, kind)
    query = (
        "SELECT m.name, m.arn FROM managed_policies m JOIN attachments a ON a.policy = m.arn "
        "WHERE a.entity = ? AND substr(m.path, 1, ?) = ? ORDER BY m.name"
    )
    path = call.params.get("PathPrefix", "/")
    rows = services.store.read().execute(query, (row["arn"], len(path), path)).fetchall()
    found = [{"PolicyName": item["name"], "PolicyArn": item["arn"]} for item in rows]
    return page(call, found, "AttachedPolicies")


def _entity(services: Services, call: Call, kind: str) -> sqlite3.Row:
    # Service Authorization Reference, IAM: attaching and detaching know which policy it is about.
    about = {"iam:PolicyARN": call.params["PolicyArn"]} if "PolicyArn" in call.params else {}
    return entity_row(services, call, kind.lower(), call.params[f"{kind}Name"], about)


def _of(half: _Half, kind: str) -> Handler:
    return lambda services, call: half(services, call, kind)


OPERATIONS: Mapping[str, Handler] = {
    "CreatePolicy": create_policy,
    "DeletePolicy": delete_policy,
    "GetPolicy": get_policy,
    "GetPolicyVersion": get_policy_version,
    "ListPolicies": list_policies,
    "ListPolicyVersions": list_policy_versions,
    **{
        name.format(kind): _of(half, kind)
        for kind in ("Role", "User")
        for name, half in (
            ("Attach{}Policy", _attach),
            ("Detach{}Policy", _detach),
            ("ListAttached{}Policies", _attached),
        )
    },
}
