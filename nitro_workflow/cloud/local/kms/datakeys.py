"""Keys and random bytes for use outside: GenerateDataKey, GenerateDataKeyPair, GenerateRandom."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access, encryption, recipient
from nitro_workflow.cloud.local.kms.key_records import Key
from nitro_workflow.cloud.local.kms.material import curve
from nitro_workflow.cloud.local.kms.specs import DATA_KEY_BYTES, ENCRYPT, SPECS, unsupported

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from nitro_workflow.attestation import VerifiedAttestation

__all__ = [
    "RSA_BITS",
    "generate_data_key",
    "generate_data_key_pair",
    "generate_data_key_pair_without_plaintext",
    "generate_data_key_without_plaintext",
    "generate_random",
]

Answer = Mapping[str, Any]
RSA_BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}


def generate_data_key(services: Services, call: Call) -> Answer:
    """Make a data key: in clear or for the enclave, and encrypted under the KMS key."""
    size = _size(call)
    enclave = recipient.read(services, call)
    key = _key(services, call, recipient.attestation(enclave))
    access.stop_if_dry_run(call)
    data_key = os.urandom(size)
    blob, used = encryption.seal(services, call, key, data_key, "EncryptionContext")
    return {
        "CiphertextBlob": blob,
        "KeyId": key.arn,
        "KeyMaterialId": used.material_id,
        **recipient.answer(enclave, "Plaintext", data_key),
    }


def generate_data_key_without_plaintext(services: Services, call: Call) -> Answer:
    """Make a data key that is only returned encrypted."""
    size = _size(call)
    key = _key(services, call)
    access.stop_if_dry_run(call)
    blob, used = encryption.seal(services, call, key, os.urandom(size), "EncryptionContext")
    return {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": used.material_id}


def generate_data_key_pair(services: Services, call: Call) -> Answer:
    """Make a key pair: the private key in clear or for the enclave, and encrypted."""
    make = _pair_maker(call)
    enclave = recipient.read(services, call)
    key = _key(services, call, recipient.attestation(enclave))
    access.stop_if_dry_run(call)
    private, answer = _pair(services, call, key, make)
    return {**answer, **recipient.answer(enclave, "PrivateKeyPlaintext", private)}


def generate_data_key_pair_without_plaintext(services: Services, call: Call) -> Answer:
    """Make a key pair whose private key is only returned encrypted."""
    make = _pair_maker(call)
    key = _key(services, call)
    access.stop_if_dry_run(call)
    return _pair(services, call, key, make)[1]


def generate_random(services: Services, call: Call) -> Answer:
    """Return up to 1024 random bytes, in clear or for the enclave."""
    if call.params.get("CustomKeyStoreId"):
        raise unsupported("CustomKeyStoreId")
    size = call.params.get("NumberOfBytes")
    if size is None:
        raise ServiceFault("ValidationException", "NumberOfBytes is required.")
    enclave = recipient.read(services, call)
    access.authorize_account(services, call, attestation=recipient.attestation(enclave))
    return recipient.answer(enclave, "Plaintext", os.urandom(size))


def _size(call: Call) -> int:
    spec, size = call.params.get("KeySpec"), call.params.get("NumberOfBytes")
    if (spec is None) == (size is None):
        raise ServiceFault(
            "ValidationException", "Please specify either number of bytes or key spec."
        )
    return int(size) if size is not None else DATA_KEY_BYTES[str(spec)]


def _key(services: Services, call: Call, attestation: VerifiedAttestation | None = None) -> Key:
    conditions = access.encryption_conditions(call)
    if "KeyPairSpec" in call.params:
        conditions["kms:DataKeyPairSpec"] = call.params["KeyPairSpec"]
    return access.use(services, call, ENCRYPT, conditions=conditions, attestation=attestation)


def _pair_maker(call: Call) -> Callable[[], PrivateKeyTypes]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    spec = call.params["KeyPairSpec"]
    if spec in RSA_BITS:
        return lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS[spec])
    if spec in SPECS:
        return lambda: ec.generate_private_key(curve(SPECS[spec].curve))
    raise unsupported(f"KeyPairSpec {spec}")


def _pair(
    services: Services, call: Call, key: Key, make: Callable[[], PrivateKeyTypes]
) -> tuple[bytes, dict[str, Any]]:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    pair = make()
    private = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    blob, used = encryption.seal(services, call, key, private, "EncryptionContext")
    return private, {
        "PrivateKeyCiphertextBlob": blob,
        "PublicKey": pair.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ),
        "KeyId": key.arn,
        "KeyPairSpec": call.params["KeyPairSpec"],
        "KeyMaterialId": used.material_id,
    }
