"""Grants: CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local.auth import principal_exists
from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access, grant_rules, key_names, paging
from nitro_workflow.cloud.local.kms.grant_rules import Row
from nitro_workflow.cloud.local.kms.key_records import Key, moment
from nitro_workflow.cloud.local.kms.specs import AGREE, ENCRYPT, SIGN, unsupported

if TYPE_CHECKING:
    from nitro_workflow.policy import Grant

__all__ = ["create_grant", "list_grants", "list_retirable_grants", "retire_grant", "revoke_grant"]

Answer = Mapping[str, Any]
MAX_GRANTS = 50_000  # KMS quota: grants on one key
# CreateGrant's API reference, GranteePrincipal: accounts, users, roles, their sessions, as ARNs.
_PRINCIPAL = re.compile(
    r"arn:aws:(iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)"
    r"|sts::[0-9]{12}:(assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))",
    re.ASCII,
)
# CreateGrant's API reference, Constraints: pairs of one constraint, characters of a value.
_MAX_PAIRS, _MAX_VALUE = 8, 384
# CreateGrant's API reference: what a grant can allow depends on what the key can do.
_FOR_EVERY_KEY = frozenset({"CreateGrant", "RetireGrant", "DescribeKey"})
_BY_USAGE = {
    ENCRYPT: grant_rules.WITH_CONTEXT,
    SIGN: frozenset({"Sign", "Verify", "GetPublicKey"}),
    AGREE: frozenset({"DeriveSharedSecret", "GetPublicKey"}),
}


def create_grant(services: Services, call: Call) -> Answer:
    """Allow a principal some operations; the same grant with the same name is not made twice."""
    _refuse_what_is_not_done(call)
    key = key_names.find_key(services, call, call.params["KeyId"])
    access.authorize(services, call, key, conditions=_conditions(call))
    access.require_usable(key, call)
    _check_operations(key, call)
    _check_principals(services.store.read(), call)
    access.stop_if_dry_run(call)
    row = _existing(services, key, call) or _insert(services, key, call)
    return {"GrantToken": row.token, "GrantId": row.grant_id}


def list_grants(services: Services, call: Call) -> Answer:
    """List a key's grants."""
    key = access.manage(services, call, while_pending=True)
    page = paging.Page.of(call, default=50, most=100)
    found = [
        _entry(key, row)
        for row in grant_rules.rows(services, key)
        if row.grant_id > page.after
        and call.params.get("GrantId") in (None, row.grant_id)
        and call.params.get("GranteePrincipal") in (None, row.grantee)
    ]
    return page.answer("Grants", found, lambda grant: str(grant["GrantId"]))


def list_retirable_grants(services: Services, call: Call) -> Answer:
    """List the grants that a principal of the caller's account may retire."""
    principal = call.params.get("RetiringPrincipal")
    if not principal:
        raise ServiceFault("ValidationException", "RetiringPrincipal is required.")
    if principal.split(":")[4:5] != [call.caller.account]:
        # The API reference: a principal of the caller's own account, though of anyone's grants.
        raise ServiceFault(
            "InvalidArnException", f"{principal} is not a principal of {call.caller.account}."
        )
    access.authorize_account(services, call)
    page = paging.Page.of(call, default=50, most=100)
    rows = services.store.read().execute(
        "SELECT * FROM kms_grants WHERE retiring = ? AND grant_id > ? ORDER BY grant_id LIMIT ?",
        (principal, page.after, page.limit + 1),
    )
    found = []
    for row in map(Row.from_row, rows):
        key = key_names.find_by_id(services, call, row.key_id)
        if key is not None:
            found.append(_entry(key, row))
    return page.answer("Grants", found, lambda grant: str(grant["GrantId"]))


def retire_grant(services: Services, call: Call) -> Answer:
    """End a grant as its retiring principal, or as a grantee who was given RetireGrant."""
    key, row = _to_retire(services, call)
    access.authorize(services, call, key, more_grants=_leave_to_retire(row))
    access.stop_if_dry_run(call)
    _delete(services, row)
    return {}


def revoke_grant(services: Services, call: Call) -> Answer:
    """End a grant as an administrator of the key."""
    key = access.manage(services, call, while_pending=True)
    row = _grant(services, key, call.params["GrantId"])
    access.stop_if_dry_run(call)
    _delete(services, row)
    return {}


def _refuse_what_is_not_done(call: Call) -> None:
    for member in ("GranteeServicePrincipal", "RetiringServicePrincipal"):
        if call.params.get(member):
            raise unsupported(member)
    if not call.params.get("GranteePrincipal"):
        raise ServiceFault("ValidationException", "GranteePrincipal is required.")
    if "SourceArn" in (call.params.get("Constraints") or {}):
        raise unsupported("Constraints.SourceArn")


def _conditions(call: Call) -> dict[str, Any]:
    conditions: dict[str, Any] = {
        "kms:GrantOperations": list(call.params["Operations"]),
        "kms:GranteePrincipal": call.params["GranteePrincipal"],
        "kms:GrantIsForAWSResource": "false",
    }
    if call.params.get("RetiringPrincipal"):
        conditions["kms:RetiringPrincipal"] = call.params["RetiringPrincipal"]
    kinds = list(call.params.get("Constraints") or {})
    return conditions | ({"kms:GrantConstraintType": kinds[0]} if kinds else {})


def _check_operations(key: Key, call: Call) -> None:
    allowed = _FOR_EVERY_KEY | _BY_USAGE[key.usage]
    wrong = [name for name in call.params["Operations"] if name not in allowed]
    if wrong:
        raise ServiceFault(
            "ValidationException",
            f"Grant operation {wrong[0]} is not supported for {key.usage} keys of {key.spec}.",
        )
    for pairs in (call.params.get("Constraints") or {}).values():
        if len(pairs) > _MAX_PAIRS or any(len(value) > _MAX_VALUE for value in pairs.values()):
            text = f"A constraint has {_MAX_PAIRS} pairs, and values of {_MAX_VALUE}, at most."
            raise ServiceFault("ValidationException", text)
    if call.params.get("Constraints") and key.usage != ENCRYPT:
        raise ServiceFault(
            "ValidationException", "Encryption context constraints need a symmetric key."
        )


def _check_principals(db: sqlite3.Connection, call: Call) -> None:
    named = (call.params.get(member) for member in ("GranteePrincipal", "RetiringPrincipal"))
    for principal in filter(None, named):
        # Anybody (``*``) and whole accounts by their bare number are principals of policies only.
        if not _PRINCIPAL.fullmatch(principal) or not principal_exists(db, principal):
            raise ServiceFault("InvalidArnException", f"The principal {principal} does not exist.")


def _existing(services: Services, key: Key, call: Call) -> Row | None:
    """Return the grant that a repeated CreateGrant with a Name means (KMS makes it once)."""
    if not call.params.get("Name"):
        return None
    wanted = (
        *(call.params["Name"], call.params["GranteePrincipal"]),
        *(call.params.get("RetiringPrincipal", ""), sorted(call.params["Operations"])),
        call.params.get("Constraints") or {},
    )
    for row in grant_rules.rows(services, key):
        found = (row.name, row.grantee, row.retiring, sorted(row.operations), row.constraints)
        if found == wanted:
            return row
    return None


def _insert(services: Services, key: Key, call: Call) -> Row:
    row = Row(
        grant_id=os.urandom(32).hex(),
        key_id=key.key_id,
        token=base64.b64encode(os.urandom(96)).decode(),
        name=call.params.get("Name", ""),
        grantee=call.params["GranteePrincipal"],
        retiring=call.params.get("RetiringPrincipal", ""),
        issuing_account=call.caller.account,
        operations=tuple(dict.fromkeys(call.params["Operations"])),
        constraints=call.params.get("Constraints") or {},
        created=call.now.timestamp(),
    )
    with services.store.transaction() as db:
        _check_principals(db, call)  # again: who was deleted meanwhile is not named by id here
        query = "SELECT count(*) FROM kms_grants WHERE key_id = ?"
        if db.execute(query, (key.key_id,)).fetchone()[0] >= MAX_GRANTS:
            text = f"{key.arn} has {MAX_GRANTS} grants already."
            raise ServiceFault("LimitExceededException", text)
        db.execute(
            "INSERT INTO kms_grants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(row.grant_id, row.key_id, row.token, row.name, row.grantee, row.retiring),
                *(row.issuing_account, json.dumps(row.operations), json.dumps(row.constraints)),
                row.created,
            ),
        )
    return row


def _entry(key: Key, row: Row) -> dict[str, Any]:
    optional = {
        "Name": row.name,
        "RetiringPrincipal": row.retiring,
        "Constraints": dict(row.constraints),
    }
    return {
        "KeyId": key.arn,
        "GrantId": row.grant_id,
        "CreationDate": moment(row.created),
        "GranteePrincipal": row.grantee,
        "IssuingAccount": f"arn:aws:iam::{row.issuing_account}:root",
        "Operations": list(row.operations),
        **{name: value for name, value in optional.items() if value},
    }


def _to_retire(services: Services, call: Call) -> tuple[Key, Row]:
    """Find the grant by its token, or by key and grant id."""
    token, grant_id = call.params.get("GrantToken"), call.params.get("GrantId")
    if token and not grant_id:
        row = services.store.read().execute("SELECT * FROM kms_grants WHERE token = ?", (token,))
        found = row.fetchone()
        key = key_names.find_by_id(services, call, found["key_id"]) if found else None
        if key is None:
            raise ServiceFault("InvalidGrantTokenException", "The grant token is not valid.")
        return key, Row.from_row(found)
    if not grant_id or not call.params.get("KeyId"):
        raise ServiceFault(
            "ValidationException", "Specify either GrantToken, or both KeyId and GrantId."
        )
    key = key_names.find_key(services, call, call.params["KeyId"])
    return key, _grant(services, key, grant_id)


def _leave_to_retire(row: Row) -> Sequence[Grant]:
    """Say as a grant what RetireGrant says: the retiring principal may end this one."""
    from nitro_workflow.policy import Grant

    return [Grant(row.retiring, ("RetireGrant",), row.grant_id, row.name)] if row.retiring else []


def _grant(services: Services, key: Key, grant_id: str) -> Row:
    for row in grant_rules.rows(services, key):
        if row.grant_id == grant_id:
            return row
    raise ServiceFault("NotFoundException", f"Grant ID {grant_id} not found")


def _delete(services: Services, row: Row) -> None:
    with services.store.transaction() as db:
        db.execute("DELETE FROM kms_grants WHERE grant_id = ?", (row.grant_id,))
