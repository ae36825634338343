"""What an attestation document says and whether to believe it, as views."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.attestation import (
    CertificateRecord,
    Reading,
    Report,
    StepOutcome,
    parse_certificate,
)
from nitro_workflow.errors import CertificateError
from nitro_workflow.widgets.formats import moment, size
from nitro_workflow.widgets.view_model import Cell as Value
from nitro_workflow.widgets.view_model import (
    CheckLine,
    FieldNode,
    Inspection,
    Table,
    TableRow,
    Tone,
)

__all__ = ["chain_table", "document_inspection"]

_TONES: dict[str, Tone] = {"passed": "good", "failed": "bad", "skipped": "neutral"}
_CERTIFICATES = ("root", "regional", "zonal", "instance")
_MODES = {"production": "production", "debug": "debug: PCR0, 1 and 2 are zero", None: "—"}


def document_inspection(report: Report, *, trust: str) -> Inspection:
    """Return the view model of one document: verdict, every check, every field with its bytes.

    ``trust`` says in words whose root the report was made under.
    """
    good = report.accepted
    reason = "" if good else f" ({', '.join(report.failed)})"
    return Inspection(
        title="Attestation document",
        verdict=("valid, and as expected" if good else f"refused{reason}"),
        tone="good" if good else "bad",
        trust=trust,
        checks=tuple(_check(step) for step in report.steps),
        nodes=_nodes(report.reading),
        data=report.reading.raw,
    )


def _check(step: StepOutcome) -> CheckLine:
    outcome = {"passed": step.found, "skipped": f"not run: {step.found}"}.get(step.status, "")
    return CheckLine(
        id=step.id,
        title=step.title,
        tone=_TONES[step.status],
        outcome=outcome or f"fails at {step.where}",
        found=step.found,
        expected=step.expected,
    )


def _nodes(reading: Reading) -> tuple[FieldNode, ...]:
    if reading.sign1 is None:
        return ()
    payload = tuple(_field(reading, name) for name in reading.payload or ())
    return (
        _node(reading, "protected", "{1: -35}, ES384", "what is signed with the payload"),
        _node(reading, "payload", f"map of {len(payload)}", children=payload),
        _node(reading, "signature", size(len(reading.sign1.signature)), "r ‖ s, by the leaf's key"),
    )


def _node(
    reading: Reading, name: str, value: str, note: str = "", children: Sequence[FieldNode] = ()
) -> FieldNode:
    span = reading.spans.get(name.removeprefix("nitrotpm_"))  # both kinds are filed under "pcrs"
    start, end = (span.start, span.end) if span else (0, 0)
    return FieldNode(name, value, start, end, note, tuple(children))


def _field(reading: Reading, name: str) -> FieldNode:
    values = reading.values
    key = {"timestamp": "timestamp_ms", "nitrotpm_pcrs": "pcrs"}.get(name, name)
    if key not in values:
        return _node(reading, name, "could not be read", "see the checks")
    value = values[key]
    if key == "pcrs":
        rows = [_node(reading, f"{name}[{i}]", v.hex()) for i, v in sorted(value.items()) if any(v)]
        return _node(reading, name, f"{len(value)} registers", _zeros(len(value), rows), rows)
    if key == "cabundle":
        rows = [_certificate(reading, f"cabundle[{i}]", der, i) for i, der in enumerate(value)]
        return _node(reading, name, f"{len(value)} certificates", "root first", rows)
    if key == "certificate":
        return _certificate(reading, name, value, None)
    if key == "timestamp_ms":
        return _node(reading, name, moment(value / 1000))
    if isinstance(value, bytes):
        return _node(reading, name, size(len(value)))
    return _node(reading, name, "absent (null)" if value is None else str(value))


def _zeros(count: int, shown: Sequence[FieldNode]) -> str:
    return f"{count - len(shown)} of them all zero"


def _certificate(reading: Reading, name: str, der: bytes, index: int | None) -> FieldNode:
    role = "the leaf" if index is None else dict(enumerate(_CERTIFICATES)).get(index, "")
    record = _record(der)
    lasts = "not a certificate" if isinstance(record, CertificateError) else _lifetime(record)
    return _node(reading, name, f"{size(len(der))}, {lasts}", role)


def _record(der: object) -> CertificateRecord | CertificateError:
    """Read one certificate of an attacker's; what is none is told, not raised."""
    if not isinstance(der, bytes):
        return CertificateError("not a certificate: no bytes")
    try:
        return parse_certificate(der)
    except CertificateError as error:
        return error


def _lifetime(certificate: CertificateRecord) -> str:
    life = certificate.end - certificate.start
    hours = round(life.total_seconds() / 3600)
    return f"valid {hours} h" if hours < 48 else f"valid {round(hours / 24):,} days"


def chain_table(ders: Sequence[bytes], *, at: float) -> Table:
    """Return the chain from root to leaf at ``at`` (seconds since 1970): names, life, what is left.

    ``ders`` is root first, leaf last. Raises nothing: what is not a certificate says so.
    """
    names = [*map(_name, range(len(ders) - 1)), "leaf"]
    rows = [_chain_row(name, der, at) for name, der in zip(names, ders, strict=False)]
    return Table(
        title="Certificate chain, root first",
        columns=("issued by", "valid for", "at the time of the check"),
        rows=tuple(rows),
    )


def _name(index: int) -> str:
    return _CERTIFICATES[index] if index < len(_CERTIFICATES) else f"certificate {index + 1}"


def _chain_row(name: str, der: bytes, at: float) -> TableRow:
    record = _record(der)
    if isinstance(record, CertificateError):
        return TableRow(name, (Value(record.found, "bad"), Value("—"), Value("—")), "bad")
    begins, ends = record.start.timestamp(), record.end.timestamp()
    said = "valid" if begins <= at <= ends else "not yet valid" if at < begins else "expired"
    tone: Tone = "good" if said == "valid" else "bad"
    issuer = "itself" if record.issuer == record.subject else "the one above"
    return TableRow(name, (Value(issuer), Value(_lifetime(record)[6:]), Value(said, tone)), tone)
