"""What a hypervisor does: issue attestation documents, of AWS's shape, under a root of our own.

>>> from datetime import UTC, datetime
>>> now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
>>> pki = HypervisorPki.create(now)
>>> issuer = pki.instance("i-0123456789abcdef0", now)
>>> module = "i-0123456789abcdef0-enc0123456789abcdef"
>>> document = issuer.issue(module_id=module, pcrs={0: bytes(48)}, nonce=b"n", now=now)
>>> from nitro_workflow.attestation import Verifier
>>> Verifier.local(pki.root_der).explain(document, at=now).verdict
'valid'

Private keys exist in this process's memory only. Names say `nitro-workflow-lab` everywhere: no one
can take such a document for AWS's.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from nitro_workflow.attestation.document import Kind
from nitro_workflow.attestation.fields import read_fields
from nitro_workflow.encoding import cbor
from nitro_workflow.encoding.cose import build_sign1
from nitro_workflow.errors import UsageError

__all__ = ["LAB_DOMAIN", "HypervisorPki", "InstanceIssuer"]

LAB_DOMAIN = "nitro-workflow-lab"
"""Ends every common name above the leaf."""

# Lifetimes of AWS's certificates (facts: one enclave and one NitroTPM document; leaves of all).
_ROOT_LIFE = timedelta(days=3650)
_REGIONAL_LIFE = timedelta(days=20, hours=1)
_ZONAL_LIFE = timedelta(days=5, hours=13)
_INSTANCE_LIFE = timedelta(hours=24)
_LEAF_LIFE = timedelta(hours=3, seconds=3)
# The NSM issues a new leaf 15 minutes before the old one ends.
_LEAF_MARGIN = timedelta(minutes=15)
# A certificate above must outlive the leaves that are issued under it.
_MARGIN = _LEAF_LIFE + _LEAF_MARGIN

_Form = Literal["indefinite", "definite"]


@dataclass(frozen=True, slots=True, repr=False)
class _Authority:
    """A certificate with its key, and how many CAs may stand below it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    below: int | None
    der: bytes = field(init=False)  # every document holds five of them: encoded once

    def __post_init__(self) -> None:
        object.__setattr__(self, "der", self.certificate.public_bytes(Encoding.DER))

    def lasts(self, now: datetime, margin: timedelta) -> bool:
        return now + margin < self.certificate.not_valid_after_utc


class HypervisorPki:
    """The lab's root, its regional and its zonal authority; makes an issuer for each instance."""

    def __init__(self, root: _Authority, region: str) -> None:
        self._root = root
        self._region = region
        self._lock = Lock()
        self._regional: _Authority | None = None
        self._zonal: _Authority | None = None

    @classmethod
    def create(cls, now: datetime, *, region: str = "us-east-1") -> HypervisorPki:
        """Make a new root; ``now`` is an aware time. Nothing of it is ever written by this."""
        key = ec.generate_private_key(ec.SECP384R1())
        name = _name(f"local.{LAB_DOMAIN}")
        certificate = _certificate(name, key, None, now, _ROOT_LIFE, None, is_ca=True)
        return cls(_Authority(certificate, key, None), region)

    @property
    def root_der(self) -> bytes:
        """The root certificate in DER: what a verifier of this lab trusts."""
        return self._root.der

    @property
    def region(self) -> str:
        """The region in the names."""
        return self._region

    def instance(self, instance_id: str, now: datetime) -> InstanceIssuer:
        """Return the issuer for one parent instance (``i-…``)."""
        issuer = InstanceIssuer(self, instance_id)
        issuer.authorities(now)
        return issuer

    def authorities(self, now: datetime) -> tuple[_Authority, _Authority, _Authority]:
        """Return root, regional and zonal authority, the latter two renewed where they must be."""
        with self._lock:
            if self._regional is None or not self._regional.lasts(now, _ZONAL_LIFE):
                name = f"{secrets.token_hex(8)}.{self._region}.{LAB_DOMAIN}"
                self._regional = _authority(name, self._root, now, _REGIONAL_LIFE, 2)
                self._zonal = None
            if self._zonal is None or not self._zonal.lasts(now, _INSTANCE_LIFE):
                name = f"{secrets.token_hex(8)}.zonal.{self._region}.{LAB_DOMAIN}"
                self._zonal = _authority(name, self._regional, now, _ZONAL_LIFE, 1)
            return self._root, self._regional, self._zonal


@dataclass(slots=True, repr=False)
class InstanceIssuer:
    """Issues documents for the enclaves of one instance; safe to share between threads."""

    pki: HypervisorPki
    instance_id: str
    _chain: tuple[_Authority, ...] = ()
    _leaves: dict[str, _Authority] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def authorities(self, now: datetime) -> tuple[_Authority, ...]:
        """Return root, regional, zonal and instance authority, renewed where they must be."""
        if not self._chain or not self._chain[-1].lasts(now, _MARGIN):
            above = self.pki.authorities(now)
            name = f"{self.instance_id}.{self.pki.region}.{LAB_DOMAIN}"
            self._chain = (*above, _authority(name, above[-1], now, _INSTANCE_LIFE, 0))
            self._leaves.clear()
        return self._chain

    def issue(
        self,
        *,
        module_id: str,
        pcrs: Mapping[int, bytes],
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
        now: datetime,
        kind: Kind = "enclave",
        form: _Form = "indefinite",
    ) -> bytes:
        """Return a signed document: an untagged COSE_Sign1, ES384, five certificates.

        ``pcrs`` are the locked PCRs, each of 48 bytes. ``form`` is how the payload's map is
        written: newer hardware writes indefinite length. Raises `UsageError` for what breaks a
        limit of the format: the document would be refused.
        """
        with self._lock:
            chain = self.authorities(now)
            leaf = self._leaf(module_id, chain[-1], now)
        payload = {
            "module_id": module_id,
            "digest": "SHA384",
            "timestamp": int(now.timestamp() * 1000),
            "pcrs" if kind == "enclave" else "nitrotpm_pcrs": dict(sorted(pcrs.items())),
            "certificate": leaf.der,
            "cabundle": [authority.der for authority in chain],
            "public_key": public_key,
            "user_data": user_data,
            "nonce": nonce,
        }
        for finding in read_fields(payload)[1]:
            raise UsageError(finding.found, expected=finding.expected, where=finding.where)
        return build_sign1(_encode(payload, form), leaf.key)

    def _leaf(self, module_id: str, issuer: _Authority, now: datetime) -> _Authority:
        leaf = self._leaves.get(module_id)
        if leaf is None or not leaf.lasts(now, _LEAF_MARGIN):
            ended = [m for m, old in self._leaves.items() if not old.lasts(now, _LEAF_MARGIN)]
            for module in ended:
                del self._leaves[module]
            key = ec.generate_private_key(ec.SECP384R1())
            name = _name(f"{module_id}.{self.pki.region}.lab"[:64])
            certificate = _certificate(name, key, issuer, now, _LEAF_LIFE, None, is_ca=False)
            leaf = self._leaves[module_id] = _Authority(certificate, key, None)
        return leaf


def _encode(payload: Mapping[str, object], form: _Form) -> bytes:
    if form == "definite":
        return cbor.dumps(payload)
    parts = [cbor.dumps(part) for pair in payload.items() for part in pair]
    return b"\xbf" + b"".join(parts) + b"\xff"


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nitro-workflow lab, not Amazon"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _authority(
    common_name: str, issuer: _Authority, now: datetime, life: timedelta, below: int
) -> _Authority:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = _certificate(_name(common_name), key, issuer, now, life, below, is_ca=True)
    return _Authority(certificate, key, below)


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: _Authority | None,
    now: datetime,
    life: timedelta,
    below: int | None,
    *,
    is_ca: bool,
) -> x509.Certificate:
    """Return a certificate with AWS's extensions; without issuer it is self-signed."""
    start = now.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + life)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=below), critical=True)
        # AWS's leaves have keyUsage not critical, and neither key identifier.
        .add_extension(_usage(is_ca=is_ca), critical=is_ca)
    )
    if is_ca:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if is_ca and issuer:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(authority, critical=False)
    return builder.sign(issuer.key if issuer else key, SHA384())


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=not is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
