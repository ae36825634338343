"""Certificate chains that may break any rule: what a hypervisor never issues, and a test needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

__all__ = [
    "ORGANIZATION",
    "P384_ORDER",
    "SHAPE",
    "CertificatePlan",
    "Chain",
    "Keys",
    "bent_shape",
    "make_chain",
    "published_key",
    "sign_certificate",
]

ORGANIZATION = "nitro-workflow TEST CERTIFICATES - trust nothing under them"
"""Stands in every subject: nobody takes such a certificate for AWS's."""

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
"""Order of P-384's group (SEC 2, §2.5.1)."""
_ORDERS = {
    "secp256r1": int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16),
    "secp384r1": P384_ORDER,
}


@dataclass(frozen=True)
class CertificatePlan:
    """What a certificate of a chain shall be; times are seen from the chain's moment."""

    name: str
    ca: bool | None = True  # None: no basicConstraints at all
    path_length: int | None = None
    usage: tuple[str, ...] | None = ("key_cert_sign", "crl_sign")  # None: no keyUsage at all
    start: timedelta = timedelta(hours=-1)
    end: timedelta = timedelta(hours=2)
    curve: ec.EllipticCurve | None = field(default_factory=ec.SECP384R1)
    hash: SHA256 | SHA384 = field(default_factory=SHA384)
    critical_extra: bool = False
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    issuer: str | None = None  # the issuer's name where it shall not be that of the one above


@dataclass(frozen=True)
class Chain:
    """DER certificates and their private keys, root first."""

    ders: tuple[bytes, ...]
    keys: tuple[Any, ...]

    @property
    def root(self) -> bytes:
        """Return the first certificate."""
        return self.ders[0]


SHAPE = (
    CertificatePlan("root"),
    CertificatePlan("regional", path_length=2),
    CertificatePlan("zonal", path_length=1),
    CertificatePlan("instance", path_length=0),
    CertificatePlan("leaf", ca=False, usage=("digital_signature", "content_commitment")),
)
"""AWS's shape: five certificates, path lengths none, 2, 1, 0, and a leaf that is no CA."""

Keys = Callable[[CertificatePlan], Any]
"""Gives a certificate's private key."""


def bent_shape(position: int, **changes: Any) -> tuple[CertificatePlan, ...]:
    """Return AWS's shape with one certificate changed."""
    rows = list(SHAPE)
    rows[position] = replace(rows[position], **changes)
    return tuple(rows)


def published_key(name: str, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    """Return the key that follows from a name: everyone can have it, and it never changes.

    ``curve`` is P-256 or P-384.
    """
    digest = hashlib.sha512(f"nitro-workflow published test key: {name}".encode()).digest()
    scalar = int.from_bytes(digest, "big") % (_ORDERS[curve.name] - 1) + 1
    return ec.derive_private_key(scalar, curve)


def make_chain(rows: Sequence[CertificatePlan], at: datetime, keys: Keys) -> Chain:
    """Return certificates after these plans, each issued by the one above, valid around ``at``."""
    made = [keys(row) for row in rows]
    ders = []
    for position, row in enumerate(rows):
        above = max(position - 1, 0)
        name = row.issuer or rows[above].name
        ders.append(sign_certificate(row, made[position], name, made[above], at))
    return Chain(tuple(ders), tuple(made))


def sign_certificate(
    plan: CertificatePlan, key: Any, issuer: str, issuer_key: Any, at: datetime
) -> bytes:
    """Return one certificate in DER. Same plan, keys and time: same bytes (RFC 6979)."""
    moment = at.replace(microsecond=0)
    serial = hashlib.sha256(f"{plan.name} {key.public_key().public_numbers()}".encode()).digest()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(plan.name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(serial[:16], "big") >> 1 | 1)
        .not_valid_before(moment + plan.start)
        .not_valid_after(moment + plan.end)
    )
    for extension, critical in _extensions(plan, key, issuer_key, is_root=key is issuer_key):
        builder = builder.add_extension(extension, critical=critical)
    repeatable = isinstance(issuer_key, ec.EllipticCurvePrivateKey) or None
    certificate = builder.sign(issuer_key, plan.hash, ecdsa_deterministic=repeatable)
    return certificate.public_bytes(Encoding.DER)


def _extensions(
    plan: CertificatePlan, key: Any, issuer_key: Any, *, is_root: bool
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if plan.ca is not None:
        length = plan.path_length if plan.ca else None
        found.append((x509.BasicConstraints(plan.ca, length), True))
    if plan.usage is not None:
        usage = x509.KeyUsage(**{name: name in plan.usage for name in _USAGES})
        found.append((usage, plan.ca is not False))  # not critical in AWS's leaves
    if plan.ca:
        found.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
        if not is_root:
            above = issuer_key.public_key()
            found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(above), False))
    if plan.critical_extra:
        oid = x509.ObjectIdentifier("1.2.3.4")
        found.append((x509.UnrecognizedExtension(oid, b"\x05\x00"), True))
    return [*found, *plan.extensions]


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
