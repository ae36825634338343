"""Find a key by what callers call it: key id, key ARN, alias name, alias ARN."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms.key_records import KEY_QUERY, Key

__all__ = ["Named", "alias_arn", "find", "find_by_id", "find_key"]

_KEY_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ARN = re.compile(
    r"arn:aws:kms:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    r"(?:key/(?P<key>[^/]+)|(?P<alias>alias/.+))"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A key and the alias (``alias/…``) by which it was called, empty for none."""

    key: Key
    alias: str = ""


def find(services: Services, call: Call, name: str, *, bad_arn: str = "NotFoundException") -> Named:
    """Return the key that `name` means to this caller.

    A bare id or alias is looked for in the caller's account. Raises `ServiceFault` with
    ``NotFoundException``, or with `bad_arn` where `name` is an ARN that cannot be KMS's.
    """
    account, key_id, alias = call.caller.account, name, ""
    if name.startswith("arn:"):
        account, key_id, alias = _parse(call, name, bad_arn)
    elif name.startswith("alias/"):
        key_id, alias = "", name
    if alias:
        key_id = _target(services, call, account, alias)
        return Named(_load(services, call, account, key_id), alias)
    if not _KEY_ID.fullmatch(key_id):
        raise ServiceFault("NotFoundException", f"Invalid keyId '{key_id}'")
    return Named(_load(services, call, account, key_id))


def find_key(
    services: Services, call: Call, name: str, *, bad_arn: str = "InvalidArnException"
) -> Key:
    """Return the key of an operation that takes no alias: key id or key ARN only."""
    if name.startswith("alias/"):
        raise ServiceFault("NotFoundException", f"Invalid keyId '{name}'")
    if name.startswith("arn:") and ":alias/" in name:
        text = "Key Aliases are not supported for this operation."
        raise ServiceFault("InvalidArnException", text)
    return find(services, call, name, bad_arn=bad_arn).key


def find_by_id(services: Services, call: Call, key_id: str) -> Key | None:
    """Return the key that a ciphertext or grant names, in the call's region, any account."""

    def load(db: sqlite3.Connection) -> Key | None:
        row = db.execute(KEY_QUERY, (key_id,)).fetchone()
        return Key.from_row(row) if row else None

    key = services.store.cached(
        ("kms key", key_id), load, weigh=lambda found: len(found.policy) if found else 0
    )
    if key is None or key.region != call.region:
        return None
    gone = key.deletion is not None and key.deletion <= call.now.timestamp()
    return None if gone else key


def alias_arn(call: Call, account: str, alias: str) -> str:
    """Return an alias's ARN in the call's region; `alias` begins with ``alias/``."""
    return f"arn:aws:kms:{call.region}:{account}:{alias}"


def _parse(call: Call, arn: str, bad_arn: str) -> tuple[str, str, str]:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise ServiceFault(bad_arn, f"Invalid arn {arn}")
    if match["region"] != call.region:
        raise ServiceFault("NotFoundException", f"Invalid arn {match['region']}")
    return match["account"], match["key"] or "", match["alias"] or ""


def _target(services: Services, call: Call, account: str, alias: str) -> str:
    query = "SELECT key_id FROM kms_alias_names WHERE account = ? AND region = ? AND name = ?"
    row = services.store.read().execute(query, (account, call.region, alias)).fetchone()
    if row is None:
        arn = alias_arn(call, account, alias)
        raise ServiceFault("NotFoundException", f"Alias {arn} is not found.")
    return str(row["key_id"])


def _load(services: Services, call: Call, account: str, key_id: str) -> Key:
    key = find_by_id(services, call, key_id)
    if key is None or key.account != account:
        arn = f"arn:aws:kms:{call.region}:{account}:key/{key_id}"
        raise ServiceFault("NotFoundException", f"Key '{arn}' does not exist")
    return key
