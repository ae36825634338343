"""Certificates of a chain as a person reads them, and what holds between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

from nitro_workflow.attestation import CertificateRecord, parse_certificate
from nitro_workflow.errors import CertificateError
from nitro_workflow.widgets.drawing import Digest, Tone, digest_of
from nitro_workflow.widgets.inspectors.der_fields import certificate_fields
from nitro_workflow.widgets.inspectors.document_fields import role_of
from nitro_workflow.widgets.inspectors.field_tree import ByteField, flat

__all__ = ["Certificate", "ChainDifference", "certificates_of", "differences_of"]

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate; times are seconds since 1970. ``link`` says who signed it, in words.

    One that cannot be read has ``wrong``, and nothing else but its bytes.
    """

    role: str
    der: bytes
    wrong: str = ""
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    key: str = ""
    key_id: str = ""
    signature: str = ""
    says: str = ""
    extensions: tuple[tuple[str, str], ...] = ()
    start: float = 0
    end: float = 0
    lasts: str = ""
    fingerprint: Digest = field(default_factory=lambda: Digest(""))
    link: str = ""
    link_tone: Tone = "neutral"


def certificates_of(ders: Sequence[bytes], *, root: bytes | None = None) -> tuple[Certificate, ...]:
    """Return certificates, root first and leaf last; ``root`` is the one that is trusted.

    Raises nothing: one that cannot be read says why.
    """
    if not ders:
        return ()
    roles = [role_of(at, len(ders) - 1) for at in range(len(ders) - 1)] + ["leaf"]
    if len(ders) == 1:
        roles = ["root" if root is None or ders[0] == root else "certificate"]
    found: list[Certificate] = []
    above: CertificateRecord | None = None
    for role, der in zip(roles, ders, strict=True):
        try:
            record = parse_certificate(der)
            link = _link(record, above, found[-1].role if found else "", root)
            found.append(_certificate(role, record, link))
        except CertificateError as error:
            record = None
            found.append(Certificate(role, der, wrong=error.found, fingerprint=_sha256(der)))
        above = record
    return tuple(found)


def _certificate(role: str, record: CertificateRecord, link: tuple[str, Tone]) -> Certificate:
    der = record.der
    fields = flat(certificate_fields(der, 0, len(der)))
    holder = fields.get("what is signed/extensions")
    extensions = tuple(
        (kid.label, f"{kid.value}{', critical' if kid.note else ''}")
        for kid in (holder.children if holder else ())
    )
    serial = fields.get("what is signed/serial number")
    public = fields.get("what is signed/public key")
    return Certificate(
        role=role,
        der=der,
        subject=_common_name(fields, "subject"),
        issuer=_common_name(fields, "issuer"),
        serial=f"{int.from_bytes(der[serial.content : serial.end]):x}" if serial else "",
        key=public.value.replace("EC public key, ", "EC ") if public else "",
        key_id=_sha256(der[public.start : public.end]).hex if public else "",
        signature=fields["signature algorithm"].value if "signature algorithm" in fields else "",
        says=", ".join(value for name, value in extensions if name in _TOLD),
        extensions=extensions,
        start=record.start.timestamp(),
        end=record.end.timestamp(),
        lasts=_lasts((record.end - record.start).total_seconds()),
        fingerprint=_sha256(der),
        link=link[0],
        link_tone=link[1],
    )


_TOLD = ("basic constraints", "key usage")


def _sha256(der: bytes) -> Digest:
    return digest_of(sha256(der).digest())


def _link(
    record: CertificateRecord, above: CertificateRecord | None, role: str, root: bytes | None
) -> tuple[str, Tone]:
    if above is None:
        if role:
            return f"the {role} one cannot be read", "bad"
        return _root_link(record, root)
    if above.subject != record.issuer:
        return f"names another issuer than the {role}", "bad"
    if not _signed(record, above):
        return f"not signed by {role}", "bad"
    return f"signed by {role}", "good"


def _root_link(record: CertificateRecord, root: bytes | None) -> tuple[str, Tone]:
    own = record.issuer == record.subject and _signed(record, record)
    said = "signs itself" if own else "does not sign itself"
    if root is None:
        return said, "good" if own else "bad"
    if record.der == root:
        return f"{said}; it is the root in force", "good"
    return f"{said}; it is not the root in force", "bad"


def _signed(record: CertificateRecord, above: CertificateRecord) -> bool:
    if above.key is None:
        return False
    try:
        above.key.verify(record.signature, record.signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True


def _common_name(fields: Mapping[str, ByteField], which: str) -> str:
    name = fields.get(f"what is signed/{which}/common name") or fields.get(
        f"what is signed/{which}"
    )
    return name.value if name else "without a name"


def _lasts(seconds: float) -> str:
    """Return a life in words: ``3 hours 3 s``, ``5 days 20 h``, ``30 years``."""
    days, rest = divmod(round(seconds), _DAY)
    hours, minutes, left = rest // 3600, rest % 3600 // 60, rest % 60
    if days >= 700:
        return f"{days / 365.2425:.0f} years"
    parts = [f"{days} days"] if days > 1 else []
    hours += 24 if days == 1 else 0
    parts += [f"{hours} {'h' if parts else 'hours'}"] if hours else []
    parts += [f"{minutes} min"] if minutes and days < 2 else []
    parts += [f"{left} s"] if left and days < 2 else []
    return " ".join(parts) or "no time at all"


@dataclass(frozen=True, slots=True)
class ChainDifference:
    """How one certificate of a chain differs from its counterpart of another."""

    role: str
    tone: Tone
    said: str


def differences_of(
    one: Sequence[Certificate], other: Sequence[Certificate]
) -> tuple[ChainDifference, ...]:
    """Compare two chains, certificate by certificate, by their bytes."""
    found = []
    for at in range(max(len(one), len(other))):
        if at >= len(one) or at >= len(other):
            role = (one if at < len(one) else other)[at].role
            found.append(ChainDifference(role, "bad", "in one of the chains only"))
        else:
            found.append(_difference(one[at], other[at]))
    return tuple(found)


def _difference(one: Certificate, other: Certificate) -> ChainDifference:
    if one.der == other.der:
        return ChainDifference(one.role, "good", "identical ×2")
    names = ("subject", "issuer", "serial", "key_id", "start", "end", "extensions")
    differ = [name for name in names if getattr(one, name) != getattr(other, name)]
    shown = [f"{_NAMES.get(name, name)}" for name in differ] or ["the signature only"]
    said = f"differs in {', '.join(shown)}"
    if "subject" in differ:
        said += f": {one.subject} and {other.subject}"
    return ChainDifference(one.role, "bad", said)


_NAMES = {"key_id": "key", "start": "not before", "end": "not after"}
