"""Encrypt, Decrypt, ReEncrypt: what callers do with a symmetric key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import (
    access,
    ciphertext,
    key_names,
    material,
    recipient,
)
from nitro_workflow.cloud.local.kms.key_records import Key
from nitro_workflow.cloud.local.kms.material import Material
from nitro_workflow.cloud.local.kms.specs import ENCRYPT, SYMMETRIC, unsupported

if TYPE_CHECKING:
    from nitro_workflow.attestation import VerifiedAttestation

__all__ = ["decrypt", "encrypt", "re_encrypt", "seal"]

Answer = Mapping[str, Any]


def encrypt(services: Services, call: Call) -> Answer:
    """Encrypt up to 4096 bytes."""
    _require_symmetric(call, "EncryptionAlgorithm")
    key = access.use(services, call, ENCRYPT, conditions=access.encryption_conditions(call))
    access.stop_if_dry_run(call)
    blob, _ = seal(services, call, key, call.params["Plaintext"], "EncryptionContext")
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": SYMMETRIC}


def decrypt(services: Services, call: Call) -> Answer:
    """Decrypt for the caller, or for the enclave whose document is in Recipient."""
    # 1. Shape. 2. Document. 3. The key, from KeyId or the ciphertext. 4. Authorization.
    # 5. Only then the ciphertext: whoever may not use the key learns nothing about the blob.
    _require_symmetric(call, "EncryptionAlgorithm")
    blob = _blob(call)
    enclave = recipient.read(services, call)
    key = _source_key(
        services,
        call,
        blob,
        "KeyId",
        conditions=access.encryption_conditions(call),
        attestation=recipient.attestation(enclave),
    )
    plaintext, used = _open(services, key, blob, call.params.get("EncryptionContext") or {})
    access.stop_if_dry_run(call)
    return {
        "KeyId": key.arn,
        "EncryptionAlgorithm": SYMMETRIC,
        "KeyMaterialId": used.material_id,
        **recipient.answer(enclave, "Plaintext", plaintext),
    }


def re_encrypt(services: Services, call: Call) -> Answer:
    """Decrypt under one key and encrypt under another; the plaintext stays inside."""
    _require_symmetric(call, "SourceEncryptionAlgorithm")
    _require_symmetric(call, "DestinationEncryptionAlgorithm")
    blob = _blob(call)
    destination = key_names.find(services, call, call.params["DestinationKeyId"])
    same = {"kms:ReEncryptOnSameKey": str(_same_key(services, call, blob, destination.key)).lower()}
    source = _source_key(
        services,
        call,
        blob,
        "SourceKeyId",
        action="ReEncryptFrom",
        conditions=same | access.encryption_conditions(call, "SourceEncryptionContext"),
    )
    access.authorize(
        services,
        call,
        destination.key,
        action="ReEncryptTo",
        alias=destination.alias,
        conditions=same | access.encryption_conditions(call, "DestinationEncryptionContext"),
    )
    access.require_usable(destination.key, call, ENCRYPT)
    plaintext, used = _open(
        services, source, blob, call.params.get("SourceEncryptionContext") or {}
    )
    access.stop_if_dry_run(call)
    sealed, now = seal(services, call, destination.key, plaintext, "DestinationEncryptionContext")
    return {
        "CiphertextBlob": sealed,
        "SourceKeyId": source.arn,
        "KeyId": destination.key.arn,
        "SourceEncryptionAlgorithm": SYMMETRIC,
        "DestinationEncryptionAlgorithm": SYMMETRIC,
        "SourceKeyMaterialId": used.material_id,
        "DestinationKeyMaterialId": now.material_id,
    }


def seal(
    services: Services, call: Call, key: Key, plaintext: bytes, context_member: str
) -> tuple[bytes, Material]:
    """Encrypt under the key's current material; return the blob and that material."""
    now = material.current(services, call, key)
    context = call.params.get(context_member) or {}
    return ciphertext.seal(plaintext, now.secret, key.key_id, now.material_id, context), now


def _require_symmetric(call: Call, member: str) -> None:
    algorithm = call.params.get(member, SYMMETRIC)
    if algorithm != SYMMETRIC:
        raise ServiceFault(
            "InvalidKeyUsageException",
            f"{member} {algorithm} cannot be used: the local KMS encrypts with symmetric keys.",
        )


def _blob(call: Call) -> ciphertext.Blob | None:
    if call.params.get("DryRunModifiers"):
        raise unsupported("DryRunModifiers")
    data = call.params.get("CiphertextBlob")
    if not data:
        raise ServiceFault(
            "ValidationException",
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy "
            "constraint: Member must not be null",
        )
    return ciphertext.parse_blob(data)


def _source_key(
    services: Services,
    call: Call,
    blob: ciphertext.Blob | None,
    member: str,
    *,
    action: str = "",
    conditions: Mapping[str, Any],
    attestation: VerifiedAttestation | None = None,
) -> Key:
    """Find and authorize the key that opens the blob: the one named, else the blob's own."""
    if call.params.get(member):
        named = key_names.find(services, call, call.params[member])
    else:
        key = key_names.find_by_id(services, call, blob.key_id) if blob else None
        if key is None:
            # Nothing says whose ciphertext this is, so nobody can be asked.
            raise ServiceFault("InvalidCiphertextException")
        named = key_names.Named(key)
    access.authorize(
        services,
        call,
        named.key,
        action=action,
        alias=named.alias,
        conditions=conditions,
        attestation=attestation,
    )
    access.require_usable(named.key, call, ENCRYPT)
    return named.key


def _open(
    services: Services, key: Key, blob: ciphertext.Blob | None, context: Mapping[str, str]
) -> tuple[bytes, Material]:
    if blob is None:
        raise ServiceFault("InvalidCiphertextException")
    if blob.key_id != key.key_id:
        raise ServiceFault(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    used = material.by_id(services, key, blob.material_id)
    plaintext = ciphertext.open_blob(blob, used.secret, context) if used else None
    if used is None or plaintext is None:
        raise ServiceFault("InvalidCiphertextException")
    return plaintext, used


def _same_key(
    services: Services, call: Call, blob: ciphertext.Blob | None, destination: Key
) -> bool:
    source = call.params.get("SourceKeyId")
    if source:
        return key_names.find(services, call, source).key.key_id == destination.key_id
    return blob is not None and blob.key_id == destination.key_id
