"""Check an image's signature: whose it is, that it holds, and that it is over this image's PCR0.

What is signed is PCR0 alone; PCR8 measures the certificate. No chain is looked at, neither by
nitro-cli nor by the hypervisor: who trusts PCR8 trusts that one certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from nitro_workflow.encoding import cose, der_reason
from nitro_workflow.errors import EncodingError, ImageError, ImageRefused
from nitro_workflow.image.format import certificate_der, parse_signature_section, pcr0_payload
from nitro_workflow.image.inspect.measure import pcr_of

if TYPE_CHECKING:
    from nitro_workflow.image.format import Image
    from nitro_workflow.image.inspect.measure import Measurements


def public_key_of(certificate_pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the certificate's public key. Raises `ImageError` for other than the three curves."""
    certificate = load_certificate(certificate_pem)
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise unusable_key(
            f"a public key that cannot be read: {der_reason(error)}", "an EC key"
        ) from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise unusable_key(f"a certificate for a {type(public).__name__}", "an EC key")
    try:
        cose.algorithm_of(public)
    except EncodingError as error:
        raise unusable_key(error.found, error.expected) from error
    return public


def load_certificate(pem: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM file. Raises `ImageError`."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        # These are parsed when they are asked for: here is where they may be wrong.
        _ = (certificate.issuer, certificate.subject, certificate.signature_algorithm_oid)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (ValueError, x509.InvalidVersion) as error:
        raise unusable_key(
            f"a certificate that cannot be read: {der_reason(error)}", "X.509 in PEM"
        ) from error
    return certificate


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
        raise signature_refused("no signature section", "a signed image", "signature")
    # 2
    parsed = parse_signature_section(section)
    certificate = load_certificate(parsed.certificate_pem)
    public = public_key_of(parsed.certificate_pem)
    pcr8 = pcr_of(certificate_der(parsed.certificate_pem))
    if pcr8 != measured.pcr8:
        raise signature_refused(
            f"PCR8 {pcr8.hex()}", "the PCR8 that was measured", "signing certificate"
        )
    try:
        message = cose.parse_sign1(parsed.cose)
    except EncodingError as error:
        raise unusable_key(f"COSE_Sign1: {error}", "an untagged COSE_Sign1") from error
    # 3
    if not cose.verify_sign1(message, public):
        raise signature_refused(
            "a signature that does not hold", "one made with the certificate's key", "signature"
        )
    # 4
    if message.payload != pcr0_payload(measured.pcr0):
        raise signature_refused(
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


def check_certificate_validity(image: Image, at: datetime) -> None:
    """Raise `ImageRefused` where the signing certificate is not valid at ``at``; hash nothing.

    An unsigned image has none. Raises `ImageError` for a section that cannot be read.
    """
    if image.signature_section is not None:
        pem = parse_signature_section(image.signature_section).certificate_pem
        check_validity(load_certificate(pem), at)


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


def signature_refused(found: str, expected: str, where: str) -> ImageRefused:
    """Return the refusal of a signature, or of a key that cannot make one that holds."""
    return ImageRefused(
        found,
        expected=expected,
        where=where,
        next="Sign the image again with `nitro-workflow image sign`; do not run this one.",
    )


def unusable_key(found: str, expected: str) -> ImageError:
    """Return the error for what is not a signing key or its certificate."""
    return ImageError(
        found,
        expected=expected,
        where="signing key or certificate",
        next="`openssl ecparam -name secp384r1 -genkey` and `openssl req -new -x509` make a pair.",
    )
