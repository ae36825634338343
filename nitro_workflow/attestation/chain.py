"""The certificate chain, link by link: what does not depend on the time is one cacheable `Chain`.

General path validators refuse every genuine chain: the leaf has no Authority Key Identifier, which
RFC 5280 §4.2.1.1 asks for (facts of `openssl verify -x509_strict` and cryptography's policies).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice, pairwise
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from nitro_workflow.attestation.document import Finding

__all__ = ["CACHED_LINKS", "Chain", "Links", "build_chain", "check_validity"]

CACHED_LINKS = 1_024
"""Pairs of certificates that are remembered, some 1.5 KiB each: instances share what is above."""

_CURVE = "secp384r1"
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
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates from the root to the leaf, as given, and what is wrong with them at any time.

    ``windows`` are the times from and until which each is valid. ``leaf_key`` is None where the
    leaf has no P-384 key. ``readable`` is False where one of them is not a certificate.
    """

    ders: tuple[bytes, ...]
    windows: tuple[tuple[datetime, datetime], ...]
    leaf_key: ec.EllipticCurvePublicKey | None
    findings: tuple[Finding, ...]
    readable: bool = True


@dataclass(slots=True)
class Links:
    """Remembers by their bytes which certificates issued which. Safe between threads."""

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
    ders = (*cabundle, leaf) if leaf is not None else tuple(cabundle)
    names = [*(f"cabundle[{i}]" for i in range(len(cabundle))), "certificate"]
    certificates, findings = _load(ders, names)
    if len(certificates) != len(ders) or leaf is None or not cabundle:
        return _broken(ders, certificates, findings, has_leaf=leaf is not None)
    found = _check(ders, certificates, names, links or Links())
    findings += islice(found, 1) if first_only else found
    windows = tuple((c.not_valid_before_utc, c.not_valid_after_utc) for c in certificates)
    return Chain(ders, windows, _p384(certificates[-1]), tuple(findings))


def _check(
    ders: Sequence[bytes],
    certificates: Sequence[x509.Certificate],
    names: Sequence[str],
    links: Links,
) -> Iterator[Finding]:
    yield from _twice(ders, names)
    for position, certificate in enumerate(certificates):
        yield from _own_rules(certificate, names[position], len(certificates) - 2 - position)
    for position, (issuer, subject) in enumerate(pairwise(certificates)):
        pair = ders[position], ders[position + 1]
        if links.holds(*pair):
            continue
        broken = _link(issuer, subject, names[position], names[position + 1])
        yield from broken
        if not broken:
            links.note(*pair)


def check_validity(chain: Chain, at: datetime) -> list[Finding]:
    """Return the certificates that are not valid at a time (RFC 5280 §4.1.2.5, ends included)."""
    last = len(chain.windows) - 1
    findings = []
    for position, (start, end) in enumerate(chain.windows):
        if start <= at <= end:
            continue
        name = "certificate" if position == last else f"cabundle[{position}]"
        state = "not valid yet" if at < start else "expired"
        findings.append(
            Finding(f"{state} at {_iso(at)}", f"a time from {_iso(start)} to {_iso(end)}", name)
        )
    return findings


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _load(
    ders: Sequence[bytes], names: Sequence[str]
) -> tuple[list[x509.Certificate], list[Finding]]:
    certificates, findings = [], []
    for der, name in zip(ders, names, strict=False):
        try:
            certificate = x509.load_der_x509_certificate(der)
            _ = certificate.extensions
        except _UNREADABLE as error:
            text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            findings.append(Finding(f"not a certificate: {text}", "X.509 in DER", name))
        else:
            certificates.append(certificate)
    return certificates, findings


def _broken(
    ders: tuple[bytes, ...],
    certificates: list[x509.Certificate],
    findings: list[Finding],
    *,
    has_leaf: bool,
) -> Chain:
    """Keep what can still be told of a chain that does not reach from a root to the leaf."""
    if not findings:
        missing = "cabundle" if has_leaf else "certificate"
        findings = [Finding("no certificates", "certificates from the root to the leaf", missing)]
    whole = has_leaf and len(certificates) == len(ders)
    windows = tuple((c.not_valid_before_utc, c.not_valid_after_utc) for c in certificates)
    leaf_key = _p384(certificates[-1]) if whole and certificates else None
    return Chain(ders, windows if whole else (), leaf_key, tuple(findings), whole)


def _twice(ders: Sequence[bytes], names: Sequence[str]) -> Iterable[Finding]:
    return [
        Finding("a certificate that occurs before", "each certificate once", names[position])
        for position, der in enumerate(ders)
        if der in ders[:position]
    ]


def _p384(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        return None
    is_p384 = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVE
    return key if is_p384 and isinstance(key, ec.EllipticCurvePublicKey) else None


def _own_rules(certificate: x509.Certificate, name: str, cas_below: int) -> list[Finding]:
    """Check what one certificate must be; ``cas_below`` is -1 for the leaf (RFC 5280 §6.1.4)."""
    findings = []
    if certificate.version is not x509.Version.v3:
        findings.append(Finding(certificate.version.name, "X.509 version 3", name))
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        oid = certificate.signature_algorithm_oid.dotted_string
        findings.append(Finding(f"signature algorithm {oid}", "ecdsa-with-SHA384", name))
    if _p384(certificate) is None:
        findings.append(Finding("a key that is not on P-384", "a P-384 key", name))
    by_oid = {extension.oid: extension for extension in certificate.extensions}
    for oid, extension in by_oid.items():
        if extension.critical and oid not in _UNDERSTOOD:
            text = f"critical extension {oid.dotted_string}"
            findings.append(Finding(text, "no critical extension but the known", name))
    constraints = by_oid.get(ExtensionOID.BASIC_CONSTRAINTS)
    usage = by_oid.get(ExtensionOID.KEY_USAGE)
    findings += _constraints(constraints.value if constraints else None, name, cas_below)
    findings += _usage(usage.value if usage else None, name, is_leaf=cas_below < 0)
    return findings


def _constraints(value: x509.ExtensionType | None, name: str, cas_below: int) -> list[Finding]:
    is_ca = isinstance(value, x509.BasicConstraints) and value.ca
    if cas_below < 0:
        return [Finding("a leaf that is a CA", "CA=false", name)] if is_ca else []
    if not isinstance(value, x509.BasicConstraints) or not value.ca:
        return [Finding("an issuer that is not a CA", "basicConstraints with CA=true", name)]
    if value.path_length is not None and cas_below > value.path_length:
        found = f"path length {value.path_length} above {cas_below} more CAs"
        return [Finding(found, f"a path length of at least {cas_below}", name)]
    return []


def _usage(value: x509.ExtensionType | None, name: str, *, is_leaf: bool) -> list[Finding]:
    if not isinstance(value, x509.KeyUsage):
        return [Finding("no keyUsage", "keyUsage (RFC 5280 §4.2.1.3)", name)]
    if is_leaf and not value.digital_signature:
        return [Finding("keyUsage without digitalSignature", "digitalSignature", name)]
    if not is_leaf and not value.key_cert_sign:
        return [Finding("keyUsage without keyCertSign", "keyCertSign", name)]
    return []


def _link(
    issuer: x509.Certificate, subject: x509.Certificate, issuer_name: str, name: str
) -> list[Finding]:
    try:
        subject.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return [Finding("signature does not hold", f"signed by the key of {issuer_name}", name)]
    except _UNREADABLE as error:
        return [Finding(f"not issued by {issuer_name}: {error}", "the next link", name)]
    return []
