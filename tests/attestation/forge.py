"""A hypervisor that tests can bend: any chain, any payload, signed by whatever key is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from nitro_workflow.encoding import cbor
from nitro_workflow.encoding.cose import build_sign1

from .conftest import MODULE, NOW, PCRS

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
P384 = ec.SECP384R1()


@dataclass(frozen=True)
class Certificate:
    """What a certificate of the chain shall be."""

    name: str
    ca: bool | None = True  # None: no basicConstraints at all
    path_length: int | None = None
    usage: tuple[str, ...] | None = ("key_cert_sign", "crl_sign")  # None: no keyUsage at all
    start: datetime = NOW - timedelta(hours=1)
    end: datetime = NOW + timedelta(hours=2)
    curve: ec.EllipticCurve | None = P384  # None: RSA
    hash: HashAlgorithm = field(default_factory=SHA384)
    critical_extra: bool = False


@dataclass(frozen=True)
class Chain:
    ders: tuple[bytes, ...]
    keys: tuple[Any, ...]

    @property
    def root(self) -> bytes:
        return self.ders[0]


SHAPE = (
    Certificate("root"),
    Certificate("regional", path_length=2),
    Certificate("zonal", path_length=1),
    Certificate("instance", path_length=0),
    Certificate("leaf", ca=False, usage=("digital_signature",)),
)


def shape(position: int, **changes: Any) -> tuple[Certificate, ...]:
    """Return AWS's shape with one certificate changed."""
    rows = list(SHAPE)
    rows[position] = replace(rows[position], **changes)
    return tuple(rows)


def make_chain(rows: tuple[Certificate, ...] = SHAPE) -> Chain:
    keys = [
        rsa.generate_private_key(65537, 2048)
        if row.curve is None
        else ec.generate_private_key(row.curve)
        for row in rows
    ]
    ders = []
    for position, row in enumerate(rows):
        issuer = max(position - 1, 0)
        ders.append(_sign(row, keys[position], rows[issuer].name, keys[issuer], row.hash))
    return Chain(tuple(ders), tuple(keys))


def _sign(row: Certificate, key: Any, issuer: str, issuer_key: Any, digest: HashAlgorithm) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(row.name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(row.start.replace(microsecond=0))
        .not_valid_after(row.end.replace(microsecond=0))
    )
    if row.ca is not None:
        constraints = x509.BasicConstraints(row.ca, row.path_length if row.ca else None)
        builder = builder.add_extension(constraints, critical=True)
    if row.usage is not None:
        usage = x509.KeyUsage(**{name: name in row.usage for name in _USAGES})
        builder = builder.add_extension(usage, critical=True)
    if row.critical_extra:
        extra = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(extra, critical=True)
    return builder.sign(issuer_key, digest).public_bytes(Encoding.DER)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def payload(chain: Chain, **changes: Any) -> dict[str, Any]:
    """Return a good payload; a change to `...` leaves the field out."""
    fields = {
        "module_id": MODULE,
        "digest": "SHA384",
        "timestamp": int(NOW.timestamp() * 1000),
        "pcrs": PCRS,
        "certificate": chain.ders[-1],
        "cabundle": list(chain.ders[:-1]),
        "public_key": None,
        "user_data": None,
        "nonce": None,
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


def document(chain: Chain, *, key: Any = None, **changes: Any) -> bytes:
    """Return a document whose fields are changed, signed by the leaf's key or another."""
    return signed(cbor.dumps(payload(chain, **changes)), key or chain.keys[-1])


def signed(encoded: bytes, key: Any) -> bytes:
    """Return a COSE_Sign1 over any bytes."""
    return build_sign1(encoded, key)


def resigned(message: bytes, **parts: Any) -> bytes:
    """Return the message with some of its four parts replaced, as they are."""
    import cbor2

    names = ("protected", "unprotected", "payload", "signature")
    values: Mapping[str, Any] = dict(zip(names, cbor2.loads(message), strict=True)) | parts
    return cbor2.dumps([values[name] for name in names])
