"""Customer-managed policies: one version each; attached to users and roles, or their boundary."""

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
    allow,
    arn_of,
    check_document,
    entity_row,
    page,
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
    allow(services, call, arn)
    check_document(params["PolicyDocument"], "identity")
    record = (
        arn, account, params["PolicyName"], params.get("Path", "/"), new_id("ANPA"),
        call.now.isoformat(), params["PolicyDocument"], params.get("Description"),
    )  # fmt: skip
    with services.store.transaction() as db:
        try:
            db.execute("INSERT INTO managed_policies VALUES (?, ?, ?, ?, ?, ?, ?, ?)", record)
        except sqlite3.IntegrityError:
            text = f"A policy called {params['PolicyName']} already exists."
            raise ServiceFault("EntityAlreadyExists", text, 409) from None
        row = db.execute("SELECT * FROM managed_policies WHERE arn = ?", (arn,)).fetchone()
    return {"Policy": _shape(row)}


def get_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe a managed policy."""
    return {"Policy": _shape(_row(services, call))}


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


def delete_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a managed policy that nothing uses."""
    row = _row(services, call)
    with services.store.transaction() as db:
        used = db.execute(
            "SELECT 1 FROM attachments WHERE policy = ?1 "
            "UNION SELECT 1 FROM entities WHERE boundary = ?1",
            (row["arn"],),
        ).fetchone()
        if used:
            raise ServiceFault(
                "DeleteConflict", "Cannot delete a policy attached to entities.", 409
            )
        db.execute("DELETE FROM managed_policies WHERE arn = ?", (row["arn"],))
    return {}


def _attach(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row, arn = _entity(services, call, kind), call.params["PolicyArn"]
    if arn.split(":")[4:5] != [call.caller.account]:
        # Another account's policy is its own: who attached it would be in that account's hands.
        raise ServiceFault(
            "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404
        )
    require_policy(services, arn)
    with services.store.transaction() as db:
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
        "WHERE a.entity = ? ORDER BY m.name"
    )
    rows = services.store.read().execute(query, (row["arn"],)).fetchall()
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
