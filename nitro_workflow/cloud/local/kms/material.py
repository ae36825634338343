"""Key material: made here, sealed by the vault at rest, never leaving but to encrypt or sign.

A symmetric key has one material for each rotation; the newest encrypts, every one decrypts.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms.key_records import Key
from nitro_workflow.cloud.local.kms.specs import KeySpec

__all__ = [
    "AES_KEY_BYTES",
    "MATERIAL_ID_BYTES",
    "Material",
    "add",
    "by_id",
    "current",
    "current_id",
    "curve",
    "generate",
    "private_key",
    "rotate_if_due",
]

_CURVES: dict[str, ec.EllipticCurve] = {
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
AES_KEY_BYTES = 32
MATERIAL_ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Material:
    """One key material, opened; `secret` is an AES-256 key or a private key as PKCS#8 DER."""

    material_id: str
    secret: bytes


def curve(name: str) -> ec.EllipticCurve:
    """Return the curve of a key specification."""
    return _CURVES[name]


def generate(spec: KeySpec) -> bytes:
    """Return new secret material for a specification."""
    if spec.is_symmetric:
        return os.urandom(AES_KEY_BYTES)
    return ec.generate_private_key(curve(spec.curve)).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )


def add(
    services: Services, db: sqlite3.Connection, key_id: str, spec: KeySpec, at: float, rotation: str
) -> str:
    """Store new material as the current one and return its id; a key's first has no `rotation`."""
    material_id = os.urandom(MATERIAL_ID_BYTES).hex()
    sealed = services.vault.seal(generate(spec), _purpose(key_id, material_id))
    db.execute(
        "INSERT INTO kms_material SELECT ?, COALESCE(MAX(number), 0) + 1, ?, ?, ?, ?"
        " FROM kms_material WHERE key_id = ?",
        (key_id, material_id, sealed, at, rotation, key_id),
    )
    return material_id


def current_id(services: Services, call: Call, key: Key) -> str:
    """Return the id of the material that encrypts now."""
    return current(services, call, key).material_id


def current(services: Services, call: Call, key: Key) -> Material:
    """Return the material that encrypts and signs now; a rotation that is due is done first."""
    rotate_if_due(services, call, key)
    rows = _rows(services, key)
    if not rows:
        raise ServiceFault("KMSInternalException", "The key has no material.", 500)
    return _open(services, key, *rows[-1])


def by_id(services: Services, key: Key, material_id: str) -> Material | None:
    """Return the material that a ciphertext names, or None."""
    sealed = dict(_rows(services, key)).get(material_id)
    return _open(services, key, material_id, sealed) if sealed else None


def private_key(services: Services, call: Call, key: Key) -> ec.EllipticCurvePrivateKey:
    """Return an asymmetric key's private key."""
    loaded = load_der_private_key(current(services, call, key).secret, None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise ServiceFault("KMSInternalException", "The key material is of another kind.", 500)
    return loaded


def rotate_if_due(services: Services, call: Call, key: Key) -> Key:
    """Do an automatic rotation whose date has come, once for all the time that has passed.

    A key that is disabled or waits for deletion does not rotate; it catches up when it is enabled.
    """
    now = call.now.timestamp()
    if key.state != "Enabled":
        return key
    if not key.rotation_days or not key.rotation_next or key.rotation_next > now:
        return key
    period = timedelta(days=key.rotation_days).total_seconds()
    due = key.rotation_next + (now - key.rotation_next) // period * period
    with services.store.transaction() as db:
        # Another thread may have been first: the date in the row says so.
        moved = db.execute(
            "UPDATE kms_keys SET rotation_next = ? WHERE key_id = ? AND rotation_next = ?",
            (due + period, key.key_id, key.rotation_next),
        )
        if moved.rowcount:
            add(services, db, key.key_id, key.key_spec, due, "AUTOMATIC")
    return replace(key, rotation_next=due + period)


def _rows(services: Services, key: Key) -> list[tuple[str, bytes]]:
    """Return the ids of a key's materials and the sealed materials, oldest first."""

    def load(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
        query = "SELECT material_id, sealed FROM kms_material WHERE key_id = ? ORDER BY number"
        return [(row["material_id"], row["sealed"]) for row in db.execute(query, (key.key_id,))]

    # What is remembered between calls is sealed; nothing in clear outlives its call.
    return services.store.cached(("kms material", key.key_id), load)


def _open(services: Services, key: Key, material_id: str, sealed: bytes) -> Material:
    secret = services.vault.open(sealed, _purpose(key.key_id, material_id))
    return Material(material_id, secret)


def _purpose(key_id: str, material_id: str) -> str:
    return f"kms/{key_id}/{material_id}"
