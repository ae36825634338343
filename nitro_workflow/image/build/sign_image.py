"""Sign an image's PCR0 and check a signature: P-256, P-384 or P-521, with a PEM key or a KMS key.

What is signed is PCR0 alone; PCR8 measures the certificate. No chain is looked at, neither by
nitro-cli nor by the hypervisor: who trusts PCR8 trusts that one certificate. A PEM key signs
deterministically (RFC 6979), so that a signed image repeats to the byte; KMS does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from nitro_workflow.encoding import cbor, cose
from nitro_workflow.errors import EncodingError, ImageError, ImageRefused
from nitro_workflow.image.format.boot_parts import is_stand_in_kernel
from nitro_workflow.image.format.eif import Image, SectionKind, open_image
from nitro_workflow.image.format.signature_section import (
    SignatureSection,
    certificate_der,
    parse_signature_section,
    pcr0_payload,
)
from nitro_workflow.image.inspect.measure import pcr_of

if TYPE_CHECKING:
    from nitro_workflow.image.build.write_image import BuiltImage
    from nitro_workflow.image.inspect.measure import Measurements

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
        raise _not(f"a private key that cannot be read: {error}", "an EC key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _not(f"a {type(key).__name__}", "an EC key on P-256, P-384 or P-521")
    if key.public_key() != public:
        raise _mismatch("the private key")
    return PemSigningKey(certificate, key)


def public_key_of(certificate_pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the certificate's public key. Raises `ImageError` for other than the three curves."""
    certificate = load_certificate(certificate_pem)
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not(f"a public key that cannot be read: {error}", "an EC key") from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise _not(f"a certificate for a {type(public).__name__}", "an EC key")
    try:
        cose.algorithm_of(public)
    except EncodingError as error:
        raise _not(error.found, error.expected) from error
    return public


def load_certificate(pem: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM file. Raises `ImageError`."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der(pem))
        # These are parsed when they are asked for: here is where they may be wrong.
        _ = (certificate.issuer, certificate.subject, certificate.signature_algorithm_oid)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (ValueError, x509.InvalidVersion) as error:
        raise _not(f"a certificate that cannot be read: {error}", "X.509 in PEM") from error
    return certificate


def build_signature_section(key: SigningKey, pcr0: bytes) -> bytes:
    """Return the signature section's data over a PCR0 of 48 bytes."""
    return SignatureSection(key.certificate_pem, key.cose_sign1(pcr0_payload(pcr0))).pack()


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that holds: by whom, until when, and what a policy's PCR8 would be."""

    certificate: x509.Certificate
    pcr8: bytes
    not_before: datetime
    not_after: datetime


def verify_signature(image: Image, measured: Measurements, *, at: datetime) -> VerifiedSignature:
    """Check an image's signature as nitro-cli does before a run, and that it is over its PCR0.

    The steps, in order: 1 there is a signature section; 2 its COSE message and certificate are
    readable, and the certificate is the one that PCR8 measures; 3 the signature holds for the
    certificate's key; 4 what it signs is register 0 with the PCR0 measured here; 5 ``at`` is within
    the certificate's validity (an expired certificate stops the enclave from starting, E59).

    Raises `ImageError` for 2 and `ImageRefused` for the others.
    """
    # 1
    section = image.signature_section
    if section is None:
        raise _refused("no signature section", "a signed image", "signature")
    # 2
    parsed = parse_signature_section(section)
    certificate = load_certificate(parsed.certificate_pem)
    public = public_key_of(parsed.certificate_pem)
    pcr8 = pcr_of(certificate_der(parsed.certificate_pem))
    if pcr8 != measured.pcr8:
        raise _refused(f"PCR8 {pcr8.hex()}", "the PCR8 that was measured", "signing certificate")
    try:
        message = cose.parse_sign1(parsed.cose)
    except EncodingError as error:
        raise _not(f"COSE_Sign1: {error}", "an untagged COSE_Sign1") from error
    # 3
    if not cose.verify_sign1(message, public):
        raise _refused(
            "a signature that does not hold", "one made with the certificate's key", "signature"
        )
    # 4
    if message.payload != pcr0_payload(measured.pcr0):
        raise _refused(
            "a signature over something else", f"register 0 = {measured.pcr0.hex()}", "signature"
        )
    # 5
    check_validity(certificate, at)
    return VerifiedSignature(
        certificate,
        pcr8,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def sign_image(path: Path, key: SigningKey, output: Path | None = None) -> BuiltImage:
    """Sign an image, in its place or into ``output``; a signature that is there is replaced.

    Everything else stays as it is, PCR0 to PCR2 included; the table of sizes and the CRC are made
    anew (``nitro-cli sign-eif`` leaves the old size behind when it signs again). A version 2 image
    becomes version 3, the first with signatures. Raises `ImageError`.
    """
    from nitro_workflow.image.build.write_image import section_part, write_image

    with open_image(path) as image:
        kept = [section for section in image.sections if section.kind is not SectionKind.SIGNATURE]
        kernel = next((s for s in kept if s.kind is SectionKind.KERNEL), kept[0])
        return write_image(
            [section_part(image, section) for section in kept],
            output=output or path,
            architecture=image.header.architecture,
            signing=key,
            header=replace(image.header, version=max(image.header.version, 3)),
            is_stand_in=is_stand_in_kernel(image.source.read_at(kernel.data_offset, 256)),
        )


def check_validity(certificate: x509.Certificate, at: datetime) -> None:
    """Raise `ImageRefused` unless ``at`` is within the certificate's validity."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= at <= end:
        raise ImageRefused(
            f"{at.isoformat()}",
            expected=f"{begin.isoformat()} to {end.isoformat()}",
            where="signing certificate, validity",
            next="Sign the image again with a certificate that is valid: PCR8 changes with it.",
        )


def _refused(found: str, expected: str, where: str) -> ImageRefused:
    return ImageRefused(
        found,
        expected=expected,
        where=where,
        next="Sign the image again with `nitro-workflow image sign`; do not run this one.",
    )


def _mismatch(key: str) -> ImageRefused:
    return _refused(f"{key} is not the certificate's", "a key and its certificate", "signing key")


def _not(found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where="signing key or certificate",
        next="`openssl ecparam -name secp384r1 -genkey` and `openssl req -new -x509` make a pair.",
    )
