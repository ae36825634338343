"""What IAM's handlers share: finding an entity, checking a policy's text, asking the gate."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.gate import check_policy
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.protocol import PageTokens
from nitro_workflow.errors import PolicyError

__all__ = [
    "ATTACHED",
    "ENTITIES",
    "INLINE_SIZES",
    "MANAGED_SIZE",
    "POLICIES",
    "PROFILES",
    "TRUST_SIZE",
    "Quota",
    "allow",
    "check_document",
    "check_quota",
    "check_size",
    "check_tags",
    "drop_tags",
    "entity_row",
    "keep_tags",
    "kept_tags",
    "letters_of",
    "name_taken",
    "no_such",
    "page",
    "request_tags",
    "require_entity",
    "role_shape",
    "url_encoded",
    "user_shape",
]

_PAGE = 100  # IAM: the default of MaxItems
MAX_TAGS = 50  # IAM quota: tags of one role or user


@dataclass(frozen=True, slots=True)
class Quota:
    """One of IAM's quotas: the name that its refusals have, and the most there may be."""

    name: str
    most: int


# IAM User Guide, "IAM and AWS STS quotas": the defaults. Sizes in characters but white space.
TRUST_SIZE = Quota("ACLSizePerRole", 2048)
MANAGED_SIZE = Quota("PolicySize", 6144)
INLINE_SIZES = {"role": Quota("PolicySize", 10_240), "user": Quota("PolicySize", 2048)}
ENTITIES = {"role": Quota("RolesPerAccount", 1000), "user": Quota("UsersPerAccount", 5000)}
ATTACHED = {"role": Quota("PoliciesPerRole", 10), "user": Quota("PoliciesPerUser", 10)}
POLICIES = Quota("PoliciesPerAccount", 1500)
PROFILES = Quota("InstanceProfilesPerAccount", 1000)


def allow(
    services: Services, call: Call, resource: str, context: Mapping[str, str] | None = None
) -> None:
    """Ask the gate for the call's own action on a resource of the caller's account."""
    if call.caller.kind == "user" and call.caller.access_key_id.startswith("ASIA"):
        # STS API Reference, GetSessionToken: without MFA, which nobody has here, not for IAM.
        text = "The security token included in the request is invalid"
        raise ServiceFault("InvalidClientTokenId", text, 403)
    account = resource.split(":")[4] if resource.startswith("arn:") else call.caller.account
    if account == "aws":  # AWS's own policies belong to everybody's account
        account = call.caller.account
    services.gate.authorize(
        call, f"iam:{call.operation}", resource, resource_account=account, context=context or {}
    )


def arn_of(account: str, kind: str, path: str, name: str) -> str:
    """Return ``arn:aws:iam::ACCOUNT:KIND/PATH/NAME``."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def keep_tags(db: sqlite3.Connection, arn: str, tags: Sequence[Mapping[str, str]]) -> None:
    """Keep the tags of a policy or a profile; roles and users have theirs in their rows."""
    if tags:
        db.execute("INSERT INTO iam_tags VALUES (?, ?)", (arn, json.dumps(list(tags))))


def kept_tags(db: sqlite3.Connection, arn: str) -> dict[str, Any]:
    """Return the member Tags of what `keep_tags` kept; none where nothing was."""
    row = db.execute("SELECT tags FROM iam_tags WHERE arn = ?", (arn,)).fetchone()
    return {"Tags": json.loads(row["tags"])} if row else {}


def drop_tags(db: sqlite3.Connection, arn: str) -> None:
    """Forget the tags of what is deleted: its name may come again."""
    db.execute("DELETE FROM iam_tags WHERE arn = ?", (arn,))


def name_taken(
    db: sqlite3.Connection, table: str, account: str, name: str, *, kind: str = ""
) -> bool:
    """Whether the account has this name: letters of either case are one (IAM API Reference)."""
    query = f"SELECT 1 FROM {table} WHERE account = ? AND name = ? COLLATE NOCASE"  # noqa: S608
    values = [account, name]
    if kind:
        query, values = f"{query} AND kind = ?", [*values, kind]
    return db.execute(query, values).fetchone() is not None


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

    Raises `ServiceFault`: AccessDenied, NoSuchEntity.
    """
    query = "SELECT * FROM entities WHERE kind = ? AND account = ? AND name = ?"
    row: sqlite3.Row | None = (
        services.store.read().execute(query, (kind, call.caller.account, name)).fetchone()
    )
    arn = row["arn"] if row else arn_of(call.caller.account, kind, "/", name)
    tags = {tag["Key"]: tag["Value"] for tag in json.loads(row["tags"])} if row else {}
    allow(services, call, arn, {**resource_tags(tags), **(context or {})})
    if row is None:
        raise no_such(kind, name)
    return row


def require_entity(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Require, in the transaction that writes, the user or role that the caller was allowed.

    Raises `ServiceFault`: NoSuchEntity, where it was deleted (or made again) meanwhile.
    """
    query = "SELECT 1 FROM entities WHERE arn = ? AND id = ?"
    if db.execute(query, (row["arn"], row["id"])).fetchone() is None:
        raise no_such(row["kind"], row["name"])


def resource_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the condition keys of the tags that a role or user has."""
    prefixes = ("aws:ResourceTag", "iam:ResourceTag")
    return {f"{prefix}/{key}": value for prefix in prefixes for key, value in tags.items()}


def request_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the condition keys of tags in a request."""
    named: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return named | ({"aws:TagKeys": list(tags)} if tags else {})


def check_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return tags as a mapping, within IAM's limits (their lengths are in the model).

    Raises `ServiceFault`: InvalidInput, LimitExceeded.
    """
    if len({tag["Key"].lower() for tag in tags}) != len(tags):
        raise ServiceFault(
            "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case "
            "insensitive.",
        )  # fmt: skip
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise ServiceFault("InvalidInput", "Tag keys must not begin with aws:, AWS's own prefix.")
    if len(tags) > MAX_TAGS:
        raise ServiceFault(
            "LimitExceeded", f"Cannot exceed quota for TagsPerResource: {MAX_TAGS}", 409
        )
    return {tag["Key"]: tag["Value"] for tag in tags}


def check_quota(db: sqlite3.Connection, table: str, where: str, value: str, quota: Quota) -> None:
    """Refuse one row more than the quota allows; to be asked in the transaction that adds it.

    Raises `ServiceFault`: LimitExceeded.
    """
    query = f"SELECT count(*) FROM {table} WHERE {where} = ?"  # noqa: S608 - our own names
    if db.execute(query, (value,)).fetchone()[0] >= quota.most:
        text = f"Cannot exceed quota for {quota.name}: {quota.most}"
        raise ServiceFault("LimitExceeded", text, 409)


def letters_of(document: str) -> int:
    """Return a policy's size as IAM counts it: without white space."""
    return len("".join(document.split()))


def check_size(document: str, quota: Quota) -> None:
    """Refuse a policy document that is longer than IAM allows, before it is parsed.

    Raises `ServiceFault`: LimitExceeded.
    """
    if letters_of(document) > quota.most:
        text = f"Cannot exceed quota for {quota.name}: {quota.most}"
        raise ServiceFault("LimitExceeded", text, 409)


def no_such(kind: str, name: str) -> ServiceFault:
    """Return NoSuchEntity in IAM's words."""
    return ServiceFault("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)


def check_document(text: str, kind: str) -> None:
    """Check the text of a policy.

    Raises `ServiceFault`: MalformedPolicyDocument, with what `policy` found and where.
    """
    try:
        check_policy(text, kind)
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

    Raises `ServiceFault`: ValidationError, for a marker that no page of this list ended with.
    """
    tokens = PageTokens(call.operation, "ValidationError", "Invalid Marker.")
    start = tokens.read_position(call.params.get("Marker"))
    end = start + call.params.get("MaxItems", _PAGE)
    answer: dict[str, Any] = {member: list(items[start:end]), "IsTruncated": end < len(items)}
    if end < len(items):
        answer["Marker"] = tokens.write(end)
    return answer
