"""An attestation document: the verdict, twelve checks with their bytes, every field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from nitro_workflow.attestation import AWS_ROOT_FINGERPRINT, Report
from nitro_workflow.widgets.drawing import Digest, Head, digest_of
from nitro_workflow.widgets.formats import moment, size
from nitro_workflow.widgets.inspectors.diagnostic_notation import diagnostic
from nitro_workflow.widgets.inspectors.document_checks import Check, checks_of, summary_of
from nitro_workflow.widgets.inspectors.document_fields import ROLES, document_fields
from nitro_workflow.widgets.inspectors.document_recipes import Recipe, recipes_of
from nitro_workflow.widgets.inspectors.field_tree import ByteField, flat

__all__ = ["DocumentModel", "Part", "Root", "make_document", "refusal_of", "root_name"]

_REFUSALS = {
    "shape": "Not a document: its CBOR or COSE breaks",
    "fields": "A field breaks its rule",
    "chain": "Its certificates do not belong together",
    "root": "It does not end at the root in force",
    "signature": "The signature does not hold",
    "freshness": "It is older than allowed",
    "nonce": "It answers another request",
    "pcrs": "Its PCRs are not the expected ones",
    "debug": "The enclave ran in debug mode",
    "user_data": "Its user data is not what was expected",
    "public_key": "Its public key is not what was expected",
}
_ROLES = {
    "certificate": "leaf", **{f"cabundle[{index}]": role for index, role in enumerate(ROLES)},
}  # fmt: skip
_UNPINNED = "Compare its PCRs with an image or a policy: none were asked for."


@dataclass(frozen=True, slots=True)
class Root:
    """The trust root in force: whose it is, in words, and its SHA-256."""

    name: str
    fingerprint: Digest


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the map to scale: where it stands, and its tint."""

    label: str
    start: int
    end: int
    tint: str


@dataclass(frozen=True, slots=True)
class DocumentModel:
    """All that the inspector of a document shows; offsets are those of ``data``."""

    head: Head
    root: Root
    summary: str
    checks: tuple[Check, ...]
    fields: tuple[ByteField, ...]
    map: tuple[Part, ...]
    data: bytes
    checked_at: str
    diagnostic: str
    recipes: tuple[Recipe, ...]
    kind: Literal["document"] = "document"


def make_document(
    report: Report, *, form: str = "raw bytes", name: str = "", trust: str = ""
) -> DocumentModel:
    """Return the view of a judged document; ``trust`` names the root where it is not AWS's.

    Raises nothing: of what could not be read the view says so.
    """
    fields = document_fields(report.reading)
    checks = _with_validity(checks_of(report), fields)
    raw = report.reading.raw
    return DocumentModel(
        head=_head(report, checks, form, name),
        root=Root(trust or root_name(report.root_fingerprint), digest_of(report.root_fingerprint)),
        summary=summary_of(checks),
        checks=checks,
        fields=fields,
        map=_map(fields),
        data=raw,
        checked_at=_when(report),
        diagnostic=diagnostic(raw),
        recipes=recipes_of(
            "document.bin", at=report.checked_at, root_fingerprint=report.root_fingerprint
        ),
    )


def root_name(fingerprint: str) -> str:
    """Return whose root it is."""
    aws = fingerprint == AWS_ROOT_FINGERPRINT
    return "AWS Nitro Enclaves" if aws else "not AWS's: another root"


def _with_validity(checks: tuple[Check, ...], fields: tuple[ByteField, ...]) -> tuple[Check, ...]:
    """Point the check of the time at the times themselves, the certificate that failed first."""
    every = flat(fields)
    spans = {
        path.rsplit("/", 2)[0]: (field.start, field.end)
        for path, field in every.items()
        if path.endswith("/what is signed/validity")
    }
    if not spans:
        return checks

    def pointed(check: Check) -> Check:
        if check.id != "validity":
            return check
        failed = f"payload/{check.where}".replace("[", "/[")
        first = [span for path, span in spans.items() if path == failed]
        return replace(check, spans=tuple(dict.fromkeys((*first, *spans.values()))))

    return tuple(map(pointed, checks))


def _head(report: Report, checks: tuple[Check, ...], form: str, name: str) -> Head:
    tpm = "NitroTPM " if report.reading.kind == "nitrotpm" else ""
    what = f"{tpm}Attestation document · {size(len(report.reading.raw))} · read as {form}"
    what += f" · {name}" if name else ""
    failed = sorted((check for check in checks if check.tone == "bad"), key=_weight)
    if not failed and report.accepted:
        unpinned = any(check.id == "pcrs" and check.tone == "neutral" for check in checks)
        return Head(what, _valid(report), "good", _who(report), _UNPINNED if unpinned else "")
    first = failed[0] if failed else None
    verdict = refusal_of(first) if first else "It could not be judged"
    verdict += f", and {_more(len(failed) - 1)}" if len(failed) > 1 else ""
    found = f"{first.where}: {first.outcome}; expected {first.expected}" if first else ""
    return Head(what, verdict, "bad", found, first.next if first else "")


def _weight(check: Check) -> bool:
    """Put what a later time cannot mend before what it can."""
    return check.id == "validity"


def _more(count: int) -> str:
    return f"{count} more check{'s fail' if count > 1 else ' fails'}"


def refusal_of(check: Check) -> str:
    """Return a failed check as one sentence."""
    if check.id == "validity":
        role = _ROLES.get(check.where, check.where)
        state = check.outcome.partition(" at ")[0]
        said = "has expired" if state == "expired" else "is not valid yet"
        return f"The {role} certificate {said}"
    return _REFUSALS.get(check.id, f"{check.title}: no")


def _valid(report: Report) -> str:
    if report.time_source == "document":
        return "Valid at its own time"
    at = report.checked_at
    if at is None or abs((datetime.now(UTC) - at).total_seconds()) < 60:
        return "Valid now"
    return f"Valid at {moment(at.timestamp())}"


def _who(report: Report) -> str:
    reading = report.reading
    modes = {"production": "Production enclave", "debug": "Enclave in debug mode"}
    mode = modes.get(reading.mode or "", "Module")
    module = str(reading.values.get("module_id", "without a name"))
    return f"{mode} {module}"


def _when(report: Report) -> str:
    if report.checked_at is None:
        return "at no time that could be read"
    said = moment(report.checked_at.timestamp())
    own = ", the document's own time" if report.time_source == "document" else ""
    return f"at {said}{own}"


def _map(fields: tuple[ByteField, ...]) -> tuple[Part, ...]:
    """Return the parts that a person knows by name, without gaps, in the order of the bytes."""
    parts: list[Part] = []
    for field in fields:
        for one in field.children if field.label == "payload" else (field,):
            kids = one.children if one.label == "cabundle" else (one,)
            parts += [Part(_part_name(kid, one), kid.start, kid.end, one.tint) for kid in kids]
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last is not None and last.tint == part.tint and part.tint in _JOINED:
            merged[-1] = replace(last, label=_JOINED[part.tint], end=part.end)
        else:
            merged.append(part)
    return tuple(merged)


_JOINED = {"f1": "header and names", "f5": "the caller's", "f6": "signature"}


def _part_name(field: ByteField, above: ByteField) -> str:
    if above.label == "cabundle":
        return field.note or field.label
    return {"pcrs": "PCRs", "certificate": "leaf"}.get(field.label, field.label)
