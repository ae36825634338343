"""One certificate of a chain as a plain record: what the rules of `chain` look at, read once.

cryptography reads and checks the whole certificate. Names, algorithm identifiers and what is signed
are then taken from the bytes as they are: RFC 5280 §7.1 lets names be compared by their bytes, and
AWS's issuer and subject names are identical.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from nitro_workflow.encoding import der_reason
from nitro_workflow.errors import CertificateError

__all__ = ["ECDSA_WITH_SHA384", "CertificateRecord", "parse_certificate"]

ECDSA_WITH_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
"""AlgorithmIdentifier of ecdsa-with-SHA384, without parameters (RFC 5758 §3.2)."""

_CURVE = "secp384r1"
# SubjectPublicKeyInfo of a point of P-384, uncompressed: RFC 5480 §2.2 forbids the hybrid form, and
# nobody needs to read the compressed one.
_P384_POINT = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")
_VERSION_TAG = b"\xa0"
_PARTS = ("what is signed", "algorithm", "signature")
_FIELDS = ("serial number", "algorithm", "issuer", "validity", "subject", "public key")
_MAX_SERIAL = 20  # bytes; AWS's own have 20, and a zero before them that keeps them positive
_INTEGER = 0x02
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
# What cryptography raises for bytes that are not a certificate; UserWarning where warnings are
# errors, for what it still reads but will refuse one day.
_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UserWarning,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class CertificateRecord(NamedTuple):
    """What a certificate says. Bytes are DER; nothing of it has been verified.

    ``key`` is None where it is no uncompressed point of P-384. ``constraints`` and ``usage`` are
    None where the extension is missing. ``critical`` has the OIDs of critical extensions that are
    not understood.
    """

    der: bytes
    issuer: bytes
    subject: bytes
    signed: bytes
    signature: bytes
    version: x509.Version
    start: datetime
    end: datetime
    key: ec.EllipticCurvePublicKey | None
    constraints: x509.BasicConstraints | None
    usage: x509.KeyUsage | None
    critical: tuple[str, ...]


def parse_certificate(der: bytes) -> CertificateRecord:
    """Return the record of one DER certificate. Raises `CertificateError`."""
    # Looked at before the certificate is read: cryptography only warns of what is wrong here.
    signed, outer, signature = _elements(der, _PARTS)
    # The version may be missing: it was, before version 2.
    first = 1 if signed[_content(signed, 0)[0] :][:1] == _VERSION_TAG else 0
    tbs = _elements(signed, (*("version",) * first, *_FIELDS))
    _check_head(serial=tbs[first], inner=tbs[first + 1], outer=outer)
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = certificate.extensions
    except _UNREADABLE as error:
        text = f"not a certificate: {der_reason(error)}"
        raise CertificateError(text, expected="X.509 in DER") from error
    constraints, usage, critical = None, None, []
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            constraints = value
        elif isinstance(value, x509.KeyUsage):
            usage = value
        elif extension.critical and extension.oid not in _UNDERSTOOD:
            critical.append(extension.oid.dotted_string)
    return CertificateRecord(
        der=der,
        issuer=tbs[first + 2],
        subject=tbs[first + 4],
        signed=signed,
        signature=_bit_string(signature),
        version=certificate.version,
        start=certificate.not_valid_before_utc,
        end=certificate.not_valid_after_utc,
        key=_p384(certificate) if tbs[first + 5].startswith(_P384_POINT) else None,
        constraints=constraints,
        usage=usage,
        critical=tuple(critical),
    )


def _check_head(*, serial: bytes, inner: bytes, outer: bytes) -> None:
    begin, _ = _content(serial, 0)
    if serial[0] != _INTEGER or not any(serial[begin:]) or serial[begin] & 0x80:
        raise CertificateError("a serial number that is not positive", expected="RFC 5280 §4.1.2.2")
    size = len(serial[begin:].lstrip(b"\0"))
    if size > _MAX_SERIAL:
        found = f"a serial number of {size} bytes"
        raise CertificateError(found, expected=f"at most {_MAX_SERIAL} (RFC 5280 §4.1.2.2)")
    # Both must be the same (RFC 5280 §4.1.1.2): only the inner one is signed.
    for algorithm in (inner, outer):
        if algorithm != ECDSA_WITH_SHA384:
            raise CertificateError(
                f"signature algorithm {algorithm.hex()[:64]}",
                expected=f"ecdsa-with-SHA384, {ECDSA_WITH_SHA384.hex()}",
            )


def _p384(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVE else None


def _elements(der: bytes, names: Sequence[str]) -> list[bytes]:
    """Return the elements of a constructed value that ``names`` has, in order (RFC 5280 §4.1)."""
    offset, end = _content(der, 0)
    elements: list[bytes] = []
    for name in names:
        if offset >= end:
            raise CertificateError(
                f"not a certificate: there is no {name}", expected=f"{', '.join(names)}, in DER"
            )
        stop = _content(der, offset)[1]
        elements.append(der[offset:stop])
        offset = stop
    return elements


def _content(der: bytes, start: int) -> tuple[int, int]:
    """Return where the content of the element at ``start`` begins and ends."""
    if start + 2 > len(der):
        raise CertificateError(
            "not a certificate: DER that ends too early", expected="X.509 in DER"
        )
    length = der[start + 1]
    if length < 0x80:
        return start + 2, start + 2 + length
    begin = start + 2 + (length & 0x7F)
    return begin, begin + int.from_bytes(der[start + 2 : begin], "big")


def _bit_string(der: bytes) -> bytes:
    begin, end = _content(der, 0)
    if der[begin : begin + 1] != b"\x00":
        raise CertificateError("a signature of broken bytes", expected="no unused bits")
    return der[begin + 1 : end]
