"""What each key specification can do (KMS developer guide, "Key spec reference")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = [
    "ALGORITHM_MEMBER",
    "DATA_KEY_BYTES",
    "SPECS",
    "SYMMETRIC",
    "KeySpec",
    "choose",
    "unsupported",
]

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT, SIGN, AGREE = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "KEY_AGREEMENT"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One specification: its curve (empty for a symmetric key) and algorithms by key usage."""

    name: str
    curve: str
    algorithms: Mapping[str, tuple[str, ...]]

    @property
    def is_symmetric(self) -> bool:
        """Whether keys of this specification encrypt."""
        return not self.curve


SPECS: Mapping[str, KeySpec] = {
    spec.name: spec
    for spec in (
        KeySpec(SYMMETRIC, "", {ENCRYPT: (SYMMETRIC,)}),
        KeySpec("ECC_NIST_P256", "secp256r1", {SIGN: ("ECDSA_SHA_256",), AGREE: ("ECDH",)}),
        KeySpec("ECC_NIST_P384", "secp384r1", {SIGN: ("ECDSA_SHA_384",), AGREE: ("ECDH",)}),
        KeySpec("ECC_NIST_P521", "secp521r1", {SIGN: ("ECDSA_SHA_512",), AGREE: ("ECDH",)}),
        KeySpec("ECC_SECG_P256K1", "secp256k1", {SIGN: ("ECDSA_SHA_256",)}),
    )
}

# The member of KeyMetadata and of GetPublicKey's answer that lists a usage's algorithms.
ALGORITHM_MEMBER = {
    ENCRYPT: "EncryptionAlgorithms",
    SIGN: "SigningAlgorithms",
    AGREE: "KeyAgreementAlgorithms",
}

DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}


def choose(spec_name: str, usage: str | None) -> tuple[KeySpec, str]:
    """Return CreateKey's specification and usage; refuse what is not done or does not fit."""
    spec = SPECS.get(spec_name)
    if spec is None:
        raise unsupported(f"KeySpec {spec_name}")
    if usage is None:
        if not spec.is_symmetric:
            raise ServiceFault(
                "ValidationException",
                "You must specify a KeyUsage value for all KMS keys except for symmetric "
                "encryption keys.",
            )
        usage = ENCRYPT
    if usage not in spec.algorithms:
        raise ServiceFault(
            "ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec_name}"
        )
    return spec, usage


def unsupported(what: str) -> ServiceFault:
    """Name what this KMS does not do. AWS may."""
    return ServiceFault(
        "UnsupportedOperationException", f"{what} is not part of the local KMS; AWS KMS may do it."
    )
