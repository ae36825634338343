"""Aliases: names for keys, in one account and region."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access, key_names, paging
from nitro_workflow.cloud.local.kms.key_records import Key, moment

__all__ = ["create_alias", "delete_alias", "list_aliases", "update_alias"]

Answer = Mapping[str, Any]
MAX_ALIASES = 50  # KMS quota: aliases of one key
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def create_alias(services: Services, call: Call) -> Answer:
    """Give a key of the caller's account a name."""
    name, key = _name(call), _target(services, call)
    arn = key_names.alias_arn(call, call.caller.account, name)
    _authorize(services, call, arn, key)
    access.require_not_pending(key)
    now = call.now.timestamp()
    with services.store.transaction() as db:
        added = db.execute(
            "INSERT INTO kms_alias_names VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (call.caller.account, call.region, name, key.key_id, now, now),
        )
        _check_quota(db, key)
    if not added.rowcount:
        raise ServiceFault("AlreadyExistsException", f"An alias with the name {arn} already exists")
    return {}


def update_alias(services: Services, call: Call) -> Answer:
    """Give an alias to another key of the same kind."""
    name, key = _name(call), _target(services, call)
    old = key_names.find(services, call, name).key
    _authorize(services, call, key_names.alias_arn(call, call.caller.account, name), old, key)
    access.require_not_pending(key)
    if (old.key_spec.is_symmetric, old.usage) != (key.key_spec.is_symmetric, key.usage):
        raise ServiceFault(
            "ValidationException",
            f"Alias {name} cannot be changed from a {old.spec} key for {old.usage} to a {key.spec}"
            f" key for {key.usage}.",
        )
    with services.store.transaction() as db:
        db.execute(
            "UPDATE kms_alias_names SET key_id = ?, updated = ?"
            " WHERE account = ? AND region = ? AND name = ?",
            (key.key_id, call.now.timestamp(), call.caller.account, call.region, name),
        )
        _check_quota(db, key)
    return {}


def delete_alias(services: Services, call: Call) -> Answer:
    """Take a name away; the key stays."""
    name = _name(call)
    key = key_names.find(services, call, name).key
    _authorize(services, call, key_names.alias_arn(call, call.caller.account, name), key)
    with services.store.transaction() as db:
        db.execute(
            "DELETE FROM kms_alias_names WHERE account = ? AND region = ? AND name = ?",
            (call.caller.account, call.region, name),
        )
    return {}


def list_aliases(services: Services, call: Call) -> Answer:
    """List the account's aliases, or one key's."""
    access.authorize_account(services, call)
    page = paging.Page.of(call, default=50, most=100)
    wanted = call.params.get("KeyId")
    key = key_names.find_key(services, call, wanted) if wanted else None
    rows = services.store.read().execute(
        "SELECT * FROM kms_alias_names WHERE account = ? AND region = ? AND name > ?"
        " AND (? = '' OR key_id = ?) ORDER BY name LIMIT ?",
        (
            *(call.caller.account, call.region, page.after),
            *((key.key_id, key.key_id) if key else ("", "")),
            page.limit + 1,
        ),
    )
    found = [_entry(call, dict(row)) for row in rows]
    return page.answer("Aliases", found, lambda alias: str(alias["AliasName"]))


def _check_quota(db: sqlite3.Connection, key: Key) -> None:
    query = "SELECT count(*) FROM kms_alias_names WHERE key_id = ?"
    if db.execute(query, (key.key_id,)).fetchone()[0] > MAX_ALIASES:
        text = f"{key.arn} has {MAX_ALIASES} aliases already."
        raise ServiceFault("LimitExceededException", text)


def _entry(call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "AliasName": row["name"],
        "AliasArn": key_names.alias_arn(call, row["account"], row["name"]),
        "TargetKeyId": row["key_id"],
        "CreationDate": moment(row["created"]),
        "LastUpdatedDate": moment(row["updated"]),
    }


def _authorize(services: Services, call: Call, arn: str, *keys: Key) -> None:
    """Ask for the alias (identity policies decide) and for every key in the operation."""
    access.authorize_account(services, call, arn)
    for key in keys:
        access.authorize(services, call, key)


def _name(call: Call) -> str:
    name = str(call.params["AliasName"])
    if not name.startswith("alias/"):
        raise ServiceFault("ValidationException", 'Alias must start with the prefix "alias/".')
    if not _NAME.fullmatch(name):
        raise ServiceFault(
            "InvalidAliasNameException", "Alias contains invalid characters for an alias"
        )
    if name.startswith("alias/aws/") and call.operation != "DeleteAlias":
        raise ServiceFault("NotAuthorizedException", "Names that begin with alias/aws/ are AWS's.")
    return name


def _target(services: Services, call: Call) -> Key:
    target = call.params["TargetKeyId"]
    return key_names.find_key(services, call, target, bad_arn="NotFoundException")
