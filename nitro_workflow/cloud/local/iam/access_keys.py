"""Access keys of users. The secret is shown once, and kept sealed: SigV4 needs it again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.auth import new_id, new_secret
from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.iam_common import entity_row, page, require_entity
from nitro_workflow.cloud.local.store import Vault

__all__ = ["OPERATIONS", "insert_key"]

_MOST = 2  # IAM quota: access keys a user


def insert_key(
    db: sqlite3.Connection, vault: Vault, *, principal: str, account: str, now: datetime
) -> tuple[str, str]:
    """Make an access key for a user's ARN or a service's name; return its id and its secret."""
    key_id, secret = new_id("AKIA"), new_secret()
    sealed = vault.seal(secret.encode(), f"iam/{key_id}")
    values = (key_id, principal, account, sealed, "Active", now.isoformat())
    db.execute("INSERT INTO access_keys VALUES (?, ?, ?, ?, ?, ?)", values)
    return key_id, secret


def _user(services: Services, call: Call) -> sqlite3.Row:
    name = call.params.get("UserName", call.caller.name if call.caller.kind == "user" else "")
    if not name:
        raise ServiceFault("ValidationError", "Must specify userName when calling with non-User")
    return entity_row(services, call, "user", name)


def create_access_key(services: Services, call: Call) -> Mapping[str, Any]:
    """Make an access key; this answer is the only one that holds its secret."""
    user = _user(services, call)
    with services.store.transaction() as db:
        require_entity(db, user)
        query = "SELECT count(*) FROM access_keys WHERE principal = ?"
        if db.execute(query, (user["arn"],)).fetchone()[0] >= _MOST:
            text = f"Cannot exceed quota for AccessKeysPerUser: {_MOST}"
            raise ServiceFault("LimitExceeded", text, 409)
        key_id, secret = insert_key(
            db, services.vault, principal=user["arn"], account=user["account"], now=call.now
        )
    shape = {
        "UserName": user["name"],
        "AccessKeyId": key_id,
        "Status": "Active",
        "SecretAccessKey": secret,
        "CreateDate": call.now,
    }
    return {"AccessKey": shape}


def list_access_keys(services: Services, call: Call) -> Mapping[str, Any]:
    """List a user's access keys, without secrets."""
    user = _user(services, call)
    query = "SELECT id, status, created FROM access_keys WHERE principal = ? ORDER BY created"
    keys = [
        {
            "UserName": user["name"],
            "AccessKeyId": row["id"],
            "Status": row["status"],
            "CreateDate": datetime.fromisoformat(row["created"]),
        }
        for row in services.store.read().execute(query, (user["arn"],))
    ]
    return page(call, keys, "AccessKeyMetadata")


def update_access_key(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a key active or inactive; an inactive one is refused at its next request."""
    values = (call.params["Status"], call.params["AccessKeyId"])
    return _change(services, call, "UPDATE access_keys SET status = ? WHERE id = ?", values)


def delete_access_key(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a key."""
    values = (call.params["AccessKeyId"],)
    return _change(services, call, "DELETE FROM access_keys WHERE id = ?", values)


def _change(
    services: Services, call: Call, query: str, values: tuple[str, ...]
) -> Mapping[str, Any]:
    user = _user(services, call)
    with services.store.transaction() as db:
        changed = db.execute(f"{query} AND principal = ?", (*values, user["arn"])).rowcount
        if changed == 0:
            text = f"The Access Key with id {call.params['AccessKeyId']} cannot be found."
            raise ServiceFault("NoSuchEntity", text, 404)
    return {}


OPERATIONS: Mapping[str, Handler] = {
    "CreateAccessKey": create_access_key,
    "DeleteAccessKey": delete_access_key,
    "ListAccessKeys": list_access_keys,
    "UpdateAccessKey": update_access_key,
}
