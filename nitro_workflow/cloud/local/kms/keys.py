"""A key's life: CreateKey, DescribeKey, ListKeys, enable, disable, schedule and cancel deletion."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import (
    access,
    key_names,
    key_policies,
    key_tags,
    material,
    paging,
)
from nitro_workflow.cloud.local.kms.key_records import Key, metadata, moment
from nitro_workflow.cloud.local.kms.specs import SYMMETRIC, choose, unsupported

__all__ = [
    "DEFAULT_WINDOW_DAYS",
    "cancel_key_deletion",
    "create_key",
    "describe_key",
    "disable_key",
    "enable_key",
    "erase_deleted",
    "list_keys",
    "schedule_key_deletion",
    "update_key_description",
]

Answer = Mapping[str, Any]
# KMS API reference, ScheduleKeyDeletion: days that a key waits for its deletion.
MIN_WINDOW_DAYS, DEFAULT_WINDOW_DAYS, MAX_WINDOW_DAYS = 7, 30, 30
MAX_KEYS = 100_000  # KMS quota: keys of one account in one region


def create_key(services: Services, call: Call) -> Answer:
    """Make a key in the caller's account."""
    _refuse_what_is_not_done(call)
    spec, usage = choose(_spec_name(call), call.params.get("KeyUsage"))
    wanted = {tag["TagKey"]: tag["TagValue"] for tag in call.params.get("Tags") or []}
    key_tags.check(call.params.get("Tags") or [])
    conditions = _conditions(call, spec.name, usage, wanted)
    access.authorize_account(services, call, conditions=conditions)
    if wanted:
        access.authorize_account(services, call, action="TagResource", conditions=conditions)
    key = _new_key(services, call, spec.name, usage)
    key_policies.check(services, call, key, key.policy)
    with services.store.transaction() as db:
        key_policies.require_principals(db, key.policy)
        _check_quota(db, key)
        db.execute(
            "INSERT INTO kms_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, NULL, NULL, NULL, NULL)",
            (
                *(key.key_id, key.account, key.arn, key.description),
                *(key.spec, key.usage, key.policy, key.created),
            ),
        )
        material_id = material.add(services, db, key.key_id, spec, key.created, "")
        db.executemany(
            "INSERT INTO kms_tags VALUES (?, ?, ?)",
            [(key.key_id, name, value) for name, value in wanted.items()],
        )
    call.trail.resources.append({"ARN": key.arn, "accountId": key.account, "type": "AWS::KMS::Key"})
    return {"KeyMetadata": metadata(key, material_id)}


def _check_quota(db: sqlite3.Connection, key: Key) -> None:
    query = "SELECT count(*) FROM kms_keys WHERE account = ?"
    if db.execute(query, (key.account,)).fetchone()[0] >= MAX_KEYS:
        raise ServiceFault("LimitExceededException", f"{key.account} has {MAX_KEYS} keys already.")


def describe_key(services: Services, call: Call) -> Answer:
    """Return a key's metadata."""
    named = key_names.find(services, call, call.params["KeyId"], bad_arn="InvalidArnException")
    access.authorize(services, call, named.key, alias=named.alias)
    return {"KeyMetadata": metadata(named.key, material.current_id(services, call, named.key))}


def list_keys(services: Services, call: Call) -> Answer:
    """List the keys of the caller's account."""
    access.authorize_account(services, call)
    page = paging.Page.of(call, default=100, most=1000)
    here = f"arn:aws:kms:{call.region}:"
    rows = services.store.read().execute(
        "SELECT key_id, arn FROM kms_keys WHERE account = ? AND key_id > ?"
        " AND substr(arn, 1, ?) = ?"
        " AND (deletion IS NULL OR deletion > ?) ORDER BY key_id LIMIT ?",
        (call.caller.account, page.after, len(here), here, call.now.timestamp(), page.limit + 1),
    )
    keys = [{"KeyId": row["key_id"], "KeyArn": row["arn"]} for row in rows]
    return page.answer("Keys", keys, lambda key: str(key["KeyId"]))


def enable_key(services: Services, call: Call) -> Answer:
    """Let a key be used."""
    _set(services, access.manage(services, call), enabled=1)
    return {}


def disable_key(services: Services, call: Call) -> Answer:
    """Let a key not be used."""
    _set(services, access.manage(services, call), enabled=0)
    return {}


def update_key_description(services: Services, call: Call) -> Answer:
    """Replace a key's description."""
    _set(services, access.manage(services, call), description=call.params["Description"])
    return {}


def schedule_key_deletion(services: Services, call: Call) -> Answer:
    """Delete a key after 7 to 30 days; until then nothing can use it."""
    days = int(call.params.get("PendingWindowInDays", DEFAULT_WINDOW_DAYS))
    if not MIN_WINDOW_DAYS <= days <= MAX_WINDOW_DAYS:
        raise ServiceFault(
            "ValidationException",
            f"PendingWindowInDays must be between {MIN_WINDOW_DAYS} and {MAX_WINDOW_DAYS} "
            "(inclusive).",
        )
    key = access.manage(
        services, call, conditions={"kms:ScheduleKeyDeletionPendingWindowInDays": str(days)}
    )
    deletion = call.now + timedelta(days=days)
    _set(services, key, deletion=deletion.timestamp(), window=days)
    return {
        "KeyId": key.arn,
        "DeletionDate": moment(deletion.timestamp()),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }


def cancel_key_deletion(services: Services, call: Call) -> Answer:
    """Keep a key after all; it comes back disabled."""
    key = access.manage(services, call, while_pending=True)
    if key.deletion is None:
        raise ServiceFault("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    _set(services, key, deletion=None, window=None, enabled=0)
    return {"KeyId": key.arn}


def erase_deleted(services: Services, call: Call) -> None:
    """Erase the keys whose waiting time is over, with their material."""
    now = call.now.timestamp()
    due = services.store.read().execute("SELECT 1 FROM kms_keys WHERE deletion <= ?", (now,))
    if due.fetchone():
        with services.store.transaction() as db:
            db.execute("DELETE FROM kms_keys WHERE deletion <= ?", (now,))


def _set(services: Services, key: Key, **columns: Any) -> None:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    with services.store.transaction() as db:
        db.execute(
            f"UPDATE kms_keys SET {assignments} WHERE key_id = ?",  # noqa: S608 - our column names
            (*columns.values(), key.key_id),
        )


def _spec_name(call: Call) -> str:
    old, new = call.params.get("CustomerMasterKeySpec"), call.params.get("KeySpec")
    if old and new and old != new:
        raise ServiceFault(
            "ValidationException",
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated.",
        )
    return str(new or old or SYMMETRIC)


def _refuse_what_is_not_done(call: Call) -> None:
    if call.params.get("Origin", "AWS_KMS") != "AWS_KMS":
        raise unsupported(f"Origin {call.params['Origin']}")
    if call.params.get("MultiRegion"):
        raise unsupported("MultiRegion")
    for member in ("CustomKeyStoreId", "XksKeyId"):
        if call.params.get(member):
            raise unsupported(member)


def _conditions(call: Call, spec: str, usage: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    bypass = bool(call.params.get("BypassPolicyLockoutSafetyCheck"))
    return {
        "kms:KeySpec": spec,
        "kms:KeyUsage": usage,
        "kms:KeyOrigin": "AWS_KMS",
        "kms:MultiRegion": "false",
        "kms:BypassPolicyLockoutSafetyCheck": str(bypass).lower(),
        **key_tags.request_conditions(wanted),
    }


def _new_key(services: Services, call: Call, spec: str, usage: str) -> Key:
    erase_deleted(services, call)
    key_id, account = str(uuid.uuid4()), call.caller.account
    return Key(
        key_id=key_id,
        account=account,
        arn=f"arn:aws:kms:{call.region}:{account}:key/{key_id}",
        description=call.params.get("Description", ""),
        spec=spec,
        usage=usage,
        policy=call.params.get("Policy") or json.dumps(key_policies.default(account)),
        created=call.now.timestamp(),
        enabled=True,
        deletion=None,
        window=None,
        rotation_days=None,
        rotation_next=None,
    )
