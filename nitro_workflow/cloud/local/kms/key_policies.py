"""Key policies: GetKeyPolicy, PutKeyPolicy, ListKeyPolicies, and what AWS checks in a new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.gate import Departed, check_policy, name_by_id, unknown_principal
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access
from nitro_workflow.cloud.local.kms.key_records import Key, key_conditions
from nitro_workflow.errors import PolicyError

if TYPE_CHECKING:
    from nitro_workflow.policy import Policy

__all__ = [
    "MAX_POLICY_BYTES",
    "POLICY_NAME",
    "check",
    "default",
    "forget",
    "get_key_policy",
    "list_key_policies",
    "put_key_policy",
    "require_principals",
]

Answer = Mapping[str, Any]
POLICY_NAME = "default"
# KMS quotas: a key policy document has at most 32 KB.
MAX_POLICY_BYTES = 32 * 1024


def get_key_policy(services: Services, call: Call) -> Answer:
    """Return the key policy's text as it was put."""
    _require_default(call)
    key = access.manage(services, call, while_pending=True)
    return {"Policy": key.policy, "PolicyName": POLICY_NAME}


def put_key_policy(services: Services, call: Call) -> Answer:
    """Replace the key policy."""
    _require_default(call)
    bypass = bool(call.params.get("BypassPolicyLockoutSafetyCheck"))
    key = access.manage(
        services,
        call,
        conditions={"kms:BypassPolicyLockoutSafetyCheck": str(bypass).lower()},
        while_pending=True,
    )
    text = call.params["Policy"]
    check(services, call, key, text)
    with services.store.transaction() as db:
        require_principals(db, text)
        db.execute("UPDATE kms_keys SET policy = ? WHERE key_id = ?", (text, key.key_id))
    return {}


def list_key_policies(services: Services, call: Call) -> Answer:
    """List the one name there is."""
    access.manage(services, call, while_pending=True)
    return {"PolicyNames": [POLICY_NAME], "Truncated": False}


def default(account: str) -> dict[str, Any]:
    """Return the policy of a key made without one: the account decides by identity policies."""
    return {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def forget(db: sqlite3.Connection, gone: Departed) -> None:
    """Name a deleted user or role by their id, in key policies and in grants."""
    name_by_id(db, "kms_keys", "policy", gone)
    sessions = gone.sessions
    for column in ("grantee", "retiring"):
        db.execute(
            f"UPDATE kms_grants SET {column} = ? WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # noqa: S608 - our own columns
            (gone.unique_id, gone.arn, len(sessions or ""), sessions),
        )


def check(services: Services, call: Call, key: Key, text: str) -> None:
    """Check a new key policy: size, language, and that it does not lock its author out."""
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise ServiceFault(
            "LimitExceededException", f"The policy is larger than {MAX_POLICY_BYTES} bytes."
        )
    try:
        policy = check_policy(text, "resource")
    except PolicyError as error:
        raise ServiceFault("MalformedPolicyDocumentException", str(error)) from error
    if not call.params.get("BypassPolicyLockoutSafetyCheck"):
        _require_no_lockout(services, call, key, policy)


def require_principals(db: sqlite3.Connection, text: str) -> None:
    """Require, in the transaction that keeps a checked policy, that all whom it names are there."""
    if unknown_principal(db, text):
        raise ServiceFault(
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
        )


def _require_no_lockout(services: Services, call: Call, key: Key, policy: Policy) -> None:
    """Require that the caller could put the next policy too (KMS's lockout safety check)."""
    allowed = services.gate.would_allow(
        call,
        "kms:PutKeyPolicy",
        key.arn,
        resource_account=key.account,
        resource_policy=policy,
        context={"kms:CallerAccount": call.caller.account, **key_conditions(key)},
    )
    if not allowed:
        raise ServiceFault(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


def _require_default(call: Call) -> None:
    if call.params.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise ServiceFault("NotFoundException", "No such policy exists")
