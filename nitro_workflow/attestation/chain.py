"""The certificate chain, link by link: what does not depend on the time is one cacheable `Chain`.

General path validators refuse every genuine chain: the leaf has no Authority Key Identifier, which
RFC 5280 §4.2.1.1 asks for (facts of `openssl verify -x509_strict` and cryptography's policies).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

from nitro_workflow.attestation.certificate import CertificateRecord, parse_certificate
from nitro_workflow.attestation.document import MAX_CABUNDLE, Defect
from nitro_workflow.errors import CertificateError

__all__ = ["CACHED_LINKS", "Chain", "Links", "build_chain", "check_validity"]

CACHED_LINKS = 1_024
"""Pairs of certificates that are remembered, some 1.5 KiB each: instances share what is above."""

_NAMES = tuple(f"cabundle[{position}]" for position in range(MAX_CABUNDLE))
_SCHEME = ec.ECDSA(SHA384())


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates from the root to the leaf, as given, and what is wrong with them at any time.

    ``names`` are those of the fields. ``windows`` are the times from and until which each is valid,
    empty where one is no certificate. ``leaf_key`` is None where the leaf has no P-384 key.
    """

    ders: tuple[bytes, ...]
    names: tuple[str, ...]
    windows: tuple[tuple[datetime, datetime], ...]
    leaf_key: ec.EllipticCurvePublicKey | None
    findings: tuple[Defect, ...]


@dataclass(slots=True)
class Links:
    """Remembers by their bytes which certificates issued which. Safe between threads.

    ``root`` is the certificate that is trusted, read once.
    """

    root: CertificateRecord | None = None
    _held: OrderedDict[tuple[bytes, bytes], None] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def holds(self, issuer: bytes, subject: bytes) -> bool:
        """Say whether this link was seen to hold."""
        return (issuer, subject) in self._held

    def note(self, issuer: bytes, subject: bytes) -> None:
        """Remember that it holds; the oldest is forgotten."""
        with self._lock:
            self._held[issuer, subject] = None
            if len(self._held) > CACHED_LINKS:
                self._held.popitem(last=False)

    def read(self, der: bytes) -> CertificateRecord:
        """Return a certificate's record. Raises `CertificateError`."""
        return self.root if self.root and self.root.der == der else parse_certificate(der)


def build_chain(
    cabundle: Sequence[bytes],
    leaf: bytes | None,
    *,
    links: Links | None = None,
    first_only: bool = False,
) -> Chain:
    """Check all links of a chain: names, signatures, constraints, key usage, path length.

    ``cabundle`` is root first, all DER. ``links`` spares the signatures that held before;
    ``first_only`` stops at the first finding. Never raises for bad bytes: see ``findings``.
    """
    links = links or Links()
    ders = (*cabundle, leaf) if leaf is not None else tuple(cabundle)
    names = (*_NAMES[: len(cabundle)], *(("certificate",) if leaf is not None else ()))
    records, findings = _read(ders, names, links)
    if findings:
        return Chain(ders, names, (), None, tuple(findings))
    windows = tuple((record.start, record.end) for record in records)
    if leaf is None or not cabundle:
        missing = "certificate" if leaf is None else "cabundle"
        none = Defect("no certificates", "certificates from the root to the leaf", missing)
        return Chain(ders, names, windows, records[-1].key if leaf else None, (none,))
    found = _check(records, names, links)
    broken = tuple(islice(found, 1) if first_only else found)
    return Chain(ders, names, windows, records[-1].key, broken)


def check_validity(chain: Chain, at: datetime) -> list[Defect]:
    """Return the certificates that are not valid at a time (RFC 5280 §4.1.2.5, ends included)."""
    findings = []
    for name, (start, end) in zip(chain.names, chain.windows, strict=False):
        if start <= at <= end:
            continue
        state = "not valid yet" if at < start else "expired"
        findings.append(
            Defect(f"{state} at {_iso(at)}", f"a time from {_iso(start)} to {_iso(end)}", name)
        )
    return findings


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(
    ders: Sequence[bytes], names: Sequence[str], links: Links
) -> tuple[list[CertificateRecord], list[Defect]]:
    records, findings = [], []
    for der, name in zip(ders, names, strict=False):
        try:
            records.append(links.read(der))
        except CertificateError as error:
            findings.append(Defect(error.found, error.expected, name))
    return records, findings


def _check(
    records: Sequence[CertificateRecord], names: Sequence[str], links: Links
) -> Iterator[Defect]:
    yield from _twice(records, names)
    for position, record in enumerate(records):
        yield from _own_rules(record, names[position], len(records) - 2 - position)
    for position, subject in enumerate(records[1:]):
        issuer = records[position]
        if links.holds(issuer.der, subject.der):
            continue
        broken = _link(issuer, subject, names[position], names[position + 1])
        if broken is None:
            links.note(issuer.der, subject.der)
        else:
            yield broken


def _twice(records: Sequence[CertificateRecord], names: Sequence[str]) -> Iterable[Defect]:
    ders = [record.der for record in records]
    return [
        Defect("a certificate that occurs before", "each certificate once", names[position])
        for position, der in enumerate(ders)
        if der in ders[:position]
    ]


def _own_rules(record: CertificateRecord, name: str, cas_below: int) -> Iterator[Defect]:
    """Check what one certificate must be; ``cas_below`` is -1 for the leaf (RFC 5280 §6.1.4)."""
    if record.version is not x509.Version.v3:
        yield Defect(record.version.name, "X.509 version 3", name)
    if record.key is None:
        yield Defect("a key that is not on P-384", "a point of P-384, uncompressed", name)
    for oid in record.critical:
        yield Defect(f"critical extension {oid}", "no critical extension but the known", name)
    yield from _constraints(record.constraints, name, cas_below)
    yield from _usage(record.usage, name, is_leaf=cas_below < 0)


def _constraints(
    value: x509.BasicConstraints | None, name: str, cas_below: int
) -> Iterator[Defect]:
    if cas_below < 0:
        if value is not None and (value.ca or value.path_length is not None):
            yield Defect("a leaf that is a CA", "CA=false and no path length", name)
    elif value is None or not value.ca:
        yield Defect("an issuer that is not a CA", "basicConstraints with CA=true", name)
    elif value.path_length is not None and cas_below > value.path_length:
        found = f"path length {value.path_length} above {cas_below} more CAs"
        yield Defect(found, f"a path length of at least {cas_below}", name)


def _usage(value: x509.KeyUsage | None, name: str, *, is_leaf: bool) -> Iterator[Defect]:
    if value is None:
        yield Defect("no keyUsage", "keyUsage (RFC 5280 §4.2.1.3)", name)
    elif is_leaf and (value.key_cert_sign or not value.digital_signature):
        found = "keyCertSign" if value.key_cert_sign else "no digitalSignature"
        yield Defect(f"keyUsage with {found}", "digitalSignature, not keyCertSign", name)
    elif not is_leaf and not value.key_cert_sign:
        yield Defect("keyUsage without keyCertSign", "keyCertSign", name)


def _link(
    issuer: CertificateRecord, subject: CertificateRecord, above: str, name: str
) -> Defect | None:
    if subject.issuer != issuer.subject:
        return Defect("another issuer's name", f"the subject name of {above}", name)
    if issuer.key is None:
        return Defect("no key to check the signature with", f"a P-384 key in {above}", name)
    try:
        issuer.key.verify(subject.signature, subject.signed, _SCHEME)
    except InvalidSignature:
        return Defect("signature does not hold", f"signed by the key of {above}", name)
    return None
