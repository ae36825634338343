"""Elliptic-curve keys: Sign and Verify for images, DeriveSharedSecret for key agreement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access, key_names, material, recipient
from nitro_workflow.cloud.local.kms.key_records import Key
from nitro_workflow.cloud.local.kms.specs import AGREE, SIGN

__all__ = ["derive_shared_secret", "get_public_key", "sign", "verify"]

Answer = Mapping[str, Any]
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}


def sign(services: Services, call: Call) -> Answer:
    """Sign a message or its digest; the signature is DER (RFC 3279 clause 2.2.3)."""
    key = _signing_key(services, call)
    access.stop_if_dry_run(call)
    private = material.private_key(services, call, key)
    signature = private.sign(call.params["Message"], ec.ECDSA(_algorithm(call)))
    return {
        "KeyId": key.arn,
        "Signature": signature,
        "SigningAlgorithm": call.params["SigningAlgorithm"],
    }


def verify(services: Services, call: Call) -> Answer:
    """Verify a signature; one that does not hold is KMSInvalidSignatureException."""
    key = _signing_key(services, call)
    access.stop_if_dry_run(call)
    public = material.private_key(services, call, key).public_key()
    try:
        public.verify(call.params["Signature"], call.params["Message"], ec.ECDSA(_algorithm(call)))
    except InvalidSignature:
        raise ServiceFault("KMSInvalidSignatureException") from None
    return {
        "KeyId": key.arn,
        "SignatureValid": True,
        "SigningAlgorithm": call.params["SigningAlgorithm"],
    }


def get_public_key(services: Services, call: Call) -> Answer:
    """Return an asymmetric key's public key as DER SubjectPublicKeyInfo."""
    named = key_names.find(services, call, call.params["KeyId"])
    access.authorize(services, call, named.key, alias=named.alias)
    key = named.key
    if key.key_spec.is_symmetric:
        raise ServiceFault(
            "UnsupportedOperationException", f"{key.arn} is symmetric: it has no public key."
        )
    access.require_usable(key, call)
    public = material.private_key(services, call, key).public_key()
    return {
        "KeyId": key.arn,
        "PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        **key.algorithms,
    }


def derive_shared_secret(services: Services, call: Call) -> Answer:
    """Return the ECDH secret with another's public key, in clear or for the enclave."""
    enclave = recipient.read(services, call)
    key = access.use(
        services,
        call,
        AGREE,
        conditions={"kms:KeyAgreementAlgorithm": call.params["KeyAgreementAlgorithm"]},
        attestation=recipient.attestation(enclave),
    )
    peer = _peer(call, key)
    access.stop_if_dry_run(call)
    secret = material.private_key(services, call, key).exchange(ec.ECDH(), peer)
    return {
        "KeyId": key.arn,
        "KeyAgreementAlgorithm": call.params["KeyAgreementAlgorithm"],
        "KeyOrigin": "AWS_KMS",
        **recipient.answer(enclave, "SharedSecret", secret),
    }


def _signing_key(services: Services, call: Call) -> Key:
    algorithm = call.params["SigningAlgorithm"]
    key = access.use(
        services,
        call,
        SIGN,
        conditions={
            "kms:SigningAlgorithm": algorithm,
            "kms:MessageType": call.params.get("MessageType", "RAW"),
        },
    )
    if algorithm not in key.key_spec.algorithms[SIGN]:
        raise ServiceFault(
            "InvalidKeyUsageException",
            f"Algorithm {algorithm} is not valid for key spec {key.spec}.",
        )
    _require_digest_length(call)
    return key


def _algorithm(call: Call) -> hashes.HashAlgorithm | utils.Prehashed:
    algorithm = _HASHES[call.params["SigningAlgorithm"]]
    if call.params.get("MessageType", "RAW") == "DIGEST":
        return utils.Prehashed(algorithm)
    return algorithm


def _require_digest_length(call: Call) -> None:
    kind = call.params.get("MessageType", "RAW")
    algorithm = call.params["SigningAlgorithm"]
    if kind not in ("RAW", "DIGEST"):
        raise ServiceFault(
            "ValidationException", f"MessageType {kind} cannot be used with {algorithm}."
        )
    if kind == "DIGEST" and len(call.params["Message"]) != _HASHES[algorithm].digest_size:
        raise ServiceFault(
            "ValidationException", f"Digest is invalid length for algorithm {algorithm}."
        )


def _peer(call: Call, key: Key) -> ec.EllipticCurvePublicKey:
    """Read the other party's public key: a point on the same curve, or it is refused."""
    try:
        peer = load_der_public_key(call.params["PublicKey"])
    except (ValueError, UnsupportedAlgorithm):
        peer = None
    if isinstance(peer, ec.EllipticCurvePublicKey) and peer.curve.name == key.key_spec.curve:
        return peer
    raise ServiceFault(
        "ValidationException", f"PublicKey is not a DER public key of the curve of {key.spec}."
    )
