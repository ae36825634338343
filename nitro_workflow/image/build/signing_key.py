"""What signs an image's PCR0: a key on P-256, P-384 or P-521, in PEM or in KMS.

A PEM key signs deterministically (RFC 6979), so that a signed image repeats to the byte; KMS does
not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from nitro_workflow.encoding import cbor, cose, der_reason
from nitro_workflow.errors import ImageRefused
from nitro_workflow.image.format import SignatureSection, pcr0_payload
from nitro_workflow.image.inspect import public_key_of, signature_refused, unusable_key

# parse_kms_arn in src/utils/eif_signer.rs (crate 0.8.1)
KMS_ARN: Final = re.compile(
    r"arn:aws(?:[\-a-z]+)?:kms:(?P<region>[a-z0-9-]+):\d{12}:key[:/][a-zA-Z0-9-]+"
)
_KMS_ALGORITHMS: Final = {
    "ES256": "ECDSA_SHA_256",
    "ES384": "ECDSA_SHA_384",
    "ES512": "ECDSA_SHA_512",
}


class KmsSign(Protocol):
    """The one operation of a KMS client that signing needs (boto3's name and shapes)."""

    def sign(self, **parameters: Any) -> Mapping[str, Any]:
        """Take KeyId, Message, MessageType, SigningAlgorithm; return ``{"Signature": DER, …}``."""


class SigningKey(Protocol):
    """What makes the signature section: a certificate (PEM, as given) and its private key."""

    @property
    def certificate_pem(self) -> bytes:
        """The certificate's file, as it was given."""

    def cose_sign1(self, payload: bytes) -> bytes:
        """Return an untagged COSE_Sign1 over the payload."""


@dataclass(frozen=True, slots=True)
class PemSigningKey:
    """A private key in memory; made by `signing_key_from_pem`."""

    certificate_pem: bytes
    private_key: ec.EllipticCurvePrivateKey

    def cose_sign1(self, payload: bytes) -> bytes:
        """Return an untagged COSE_Sign1, the same one each time."""
        return cose.build_sign1(payload, self.private_key, deterministic=True)

    def __repr__(self) -> str:
        return f"PemSigningKey({self.private_key.curve.name})"


@dataclass(frozen=True, slots=True)
class KmsSigningKey:
    """A key that never leaves KMS; ``kms`` is a client for the ARN's region, the lab's included."""

    certificate_pem: bytes
    key_arn: str
    kms: KmsSign

    def cose_sign1(self, payload: bytes) -> bytes:
        """Return an untagged COSE_Sign1 made with one ``kms:Sign``; another one each time.

        Raises `ImageRefused` when the key is not the one that the certificate is for.
        """
        public = public_key_of(self.certificate_pem)
        algorithm = cose.algorithm_of(public)
        protected = cbor.dumps({1: algorithm.id})
        answer = self.kms.sign(
            KeyId=self.key_arn,
            Message=_digest(algorithm, protected, payload),
            MessageType="DIGEST",
            SigningAlgorithm=_KMS_ALGORITHMS[algorithm.name],
        )
        r, s = decode_dss_signature(answer["Signature"])
        raw = r.to_bytes(algorithm.size, "big") + s.to_bytes(algorithm.size, "big")
        message = cbor.dumps([protected, {}, payload, raw])
        if not cose.verify_sign1(cose.parse_sign1(message), public):
            raise _mismatch(self.key_arn)
        return message


def _digest(algorithm: cose.Algorithm, protected: bytes, payload: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes

    digest = hashes.Hash(algorithm.hash)
    digest.update(cbor.dumps(["Signature1", protected, b"", payload]))  # RFC 9052 §4.4
    return digest.finalize()


def signing_key_from_pem(certificate: bytes, private_key: bytes) -> PemSigningKey:
    """Return the signing key from the bytes of two PEM files.

    Raises `ImageError` when one is not what it should be, `ImageRefused` when they do not belong
    together (AWS's tools sign all the same, and the enclave then does not start).
    """
    public = public_key_of(certificate)
    try:
        key = serialization.load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError) as error:
        raise unusable_key(
            f"a private key that cannot be read: {der_reason(error)}", "an EC key in PEM"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise unusable_key(f"a {type(key).__name__}", "an EC key on P-256, P-384 or P-521")
    if key.public_key() != public:
        raise _mismatch("the private key")
    return PemSigningKey(certificate, key)


def build_signature_section(key: SigningKey, pcr0: bytes) -> bytes:
    """Return the signature section's data over a PCR0 of 48 bytes."""
    return SignatureSection(key.certificate_pem, key.cose_sign1(pcr0_payload(pcr0))).pack()


def _mismatch(key: str) -> ImageRefused:
    return signature_refused(
        f"{key} is not the certificate's", "a key and its certificate", "signing key"
    )
