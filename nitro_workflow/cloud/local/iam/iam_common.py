"""What IAM's handlers share: finding an entity, checking a policy's text, asking the gate."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.gate import parse_cached
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.protocol import PageTokens
from nitro_workflow.errors import PolicyError

__all__ = [
    "allow",
    "check_document",
    "entity_row",
    "no_such",
    "page",
    "role_shape",
    "url_encoded",
    "user_shape",
]

_PAGE = 100  # IAM: the default of MaxItems


def allow(
    services: Services, call: Call, resource: str, context: Mapping[str, str] | None = None
) -> None:
    """Ask the gate for the call's own action on a resource of the caller's account."""
    account = resource.split(":")[4] if resource.startswith("arn:") else call.caller.account
    services.gate.authorize(
        call, f"iam:{call.operation}", resource, resource_account=account, context=context or {}
    )


def arn_of(account: str, kind: str, path: str, name: str) -> str:
    """Return ``arn:aws:iam::ACCOUNT:KIND/PATH/NAME``."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def entity_row(
    services: Services,
    call: Call,
    kind: str,
    name: str,
    context: Mapping[str, str] | None = None,
) -> sqlite3.Row:
    """Return the user or role of that name in the caller's account, once the caller may ask.

    The gate is asked with the ARN the entity has, or would have, before anything is said;
    `context` holds the condition keys of the call's own action.

    Raises:
        ServiceFault: AccessDenied, NoSuchEntity.
    """
    query = "SELECT * FROM entities WHERE kind = ? AND account = ? AND name = ?"
    row: sqlite3.Row | None = (
        services.store.read().execute(query, (kind, call.caller.account, name)).fetchone()
    )
    arn = row["arn"] if row else arn_of(call.caller.account, kind, "/", name)
    allow(services, call, arn, context)
    if row is None:
        raise no_such(kind, name)
    return row


def no_such(kind: str, name: str) -> ServiceFault:
    """Return NoSuchEntity in IAM's words."""
    return ServiceFault("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)


def check_document(text: str, kind: str) -> None:
    """Check the text of a policy.

    Raises:
        ServiceFault: MalformedPolicyDocument, with what `policy` found and where.
    """
    try:
        parse_cached(text, kind)
    except PolicyError as error:
        raise ServiceFault("MalformedPolicyDocument", str(error)) from None


def url_encoded(text: str) -> str:
    """Return a policy document as IAM answers it: percent-encoded (RFC 3986)."""
    return quote(text, safe="")


def user_shape(row: sqlite3.Row) -> dict[str, Any]:
    """Return IAM's User."""
    return _entity(row, "User")


def role_shape(row: sqlite3.Row) -> dict[str, Any]:
    """Return IAM's Role."""
    shape = _entity(row, "Role")
    shape["AssumeRolePolicyDocument"] = url_encoded(row["trust"])
    shape["MaxSessionDuration"] = row["max_session"]
    if row["description"]:
        shape["Description"] = row["description"]
    return shape


def _entity(row: sqlite3.Row, kind: str) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "Path": row["path"],
        f"{kind}Name": row["name"],
        f"{kind}Id": row["id"],
        "Arn": row["arn"],
        "CreateDate": datetime.fromisoformat(row["created"]),
    }
    if row["boundary"]:
        shape["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": row["boundary"],
        }
    tags = json.loads(row["tags"])
    if tags:
        shape["Tags"] = tags
    return shape


def page(call: Call, items: Sequence[Any], member: str) -> dict[str, Any]:
    """Return one page of a list; the marker holds the position in it.

    Raises:
        ServiceFault: ValidationError, for a marker that no page of this list ended with.
    """
    tokens = PageTokens(call.operation, "ValidationError", "Invalid Marker.")
    start = tokens.read_position(call.params.get("Marker"))
    end = start + call.params.get("MaxItems", _PAGE)
    answer: dict[str, Any] = {member: list(items[start:end]), "IsTruncated": end < len(items)}
    if end < len(items):
        answer["Marker"] = tokens.write(end)
    return answer
