"""Rotation: new material for the same key, on demand or by period; old ciphertexts still open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access, material, paging
from nitro_workflow.cloud.local.kms.key_records import Key, moment

__all__ = [
    "DEFAULT_PERIOD_DAYS",
    "MAX_ON_DEMAND",
    "disable_key_rotation",
    "enable_key_rotation",
    "get_key_rotation_status",
    "list_key_rotations",
    "rotate_key_on_demand",
]

Answer = Mapping[str, Any]
DEFAULT_PERIOD_DAYS = 365
# KMS quotas: on-demand rotations of one key.
MAX_ON_DEMAND = 25


def enable_key_rotation(services: Services, call: Call) -> Answer:
    """Rotate every 90 to 2560 days from now on."""
    days = int(call.params.get("RotationPeriodInDays", DEFAULT_PERIOD_DAYS))
    key = _rotating_key(services, call, {"kms:RotationPeriodInDays": str(days)})
    due = call.now + timedelta(days=days)
    if key.rotation_days != days:
        _set_period(services, key, days, due.timestamp())
    return {}


def disable_key_rotation(services: Services, call: Call) -> Answer:
    """Rotate no more; the materials that are there stay."""
    _set_period(services, _rotating_key(services, call), None, None)
    return {}


def get_key_rotation_status(services: Services, call: Call) -> Answer:
    """Say whether, how often and when next a key rotates."""
    key = access.manage(services, call, while_pending=True)
    _require_symmetric(key)
    key = material.rotate_if_due(services, call, key)
    status: dict[str, Any] = {"KeyId": key.key_id, "KeyRotationEnabled": False}
    if key.rotation_days and key.rotation_next and key.state != "PendingDeletion":
        status |= {
            "KeyRotationEnabled": True,
            "RotationPeriodInDays": key.rotation_days,
            "NextRotationDate": moment(key.rotation_next),
        }
    return status


def rotate_key_on_demand(services: Services, call: Call) -> Answer:
    """Make new material now."""
    key = _rotating_key(services, call)
    with services.store.transaction() as db:
        count = db.execute(
            "SELECT COUNT(*) FROM kms_material WHERE key_id = ? AND rotation = 'ON_DEMAND'",
            (key.key_id,),
        ).fetchone()[0]
        if count >= MAX_ON_DEMAND:
            raise ServiceFault(
                "LimitExceededException", f"{key.arn} was rotated on demand {count} times."
            )
        material.add(services, db, key.key_id, key.key_spec, call.now.timestamp(), "ON_DEMAND")
    return {"KeyId": key.key_id}


def list_key_rotations(services: Services, call: Call) -> Answer:
    """List the rotations that were done; with ALL_KEY_MATERIAL the first material too."""
    key = access.manage(services, call, while_pending=True)
    _require_symmetric(key)
    page = paging.Page.of(call, default=100, most=1000)
    every = call.params.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    rows = services.store.read().execute(
        "SELECT number, material_id, rotated, rotation,"
        " number = MAX(number) OVER (PARTITION BY key_id) AS newest FROM kms_material"
        " WHERE key_id = ? ORDER BY number",
        (key.key_id,),
    )
    found = [
        _entry(key, dict(row), with_state=every)
        for row in rows
        if f"{row['number']:08}" > page.after and (every or row["rotation"])
    ]
    numbered = {entry["KeyMaterialId"]: entry.pop("number") for entry in found}
    return page.answer("Rotations", found, lambda entry: str(numbered[entry["KeyMaterialId"]]))


def _entry(key: Key, row: Mapping[str, Any], *, with_state: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "number": f"{row['number']:08}",
        "KeyId": key.key_id,
        "KeyMaterialId": row["material_id"],
    }
    if row["rotation"]:
        entry |= {"RotationDate": moment(row["rotated"]), "RotationType": row["rotation"]}
    if with_state:
        entry["KeyMaterialState"] = "CURRENT" if row["newest"] else "NON_CURRENT"
    return entry


def _rotating_key(
    services: Services, call: Call, conditions: Mapping[str, Any] | None = None
) -> Key:
    key = access.manage(services, call, conditions=conditions)
    access.require_usable(key, call)
    _require_symmetric(key)
    return material.rotate_if_due(services, call, key)


def _require_symmetric(key: Key) -> None:
    if not key.key_spec.is_symmetric:
        raise ServiceFault(
            "UnsupportedOperationException", f"{key.arn} is asymmetric: it does not rotate."
        )


def _set_period(services: Services, key: Key, days: int | None, due: float | None) -> None:
    with services.store.transaction() as db:
        db.execute(
            "UPDATE kms_keys SET rotation_days = ?, rotation_next = ? WHERE key_id = ?",
            (days, due, key.key_id),
        )
