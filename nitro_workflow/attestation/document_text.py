"""Documents and reports as lines of text. Everything from a document is made safe to print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nitro_workflow.attestation.document import FieldSpan, seconds_hint, time_of
from nitro_workflow.attestation.parse import Reading
from nitro_workflow.attestation.verification_report import Report, StepOutcome

__all__ = ["fields_json", "plain", "render_document", "render_report", "render_row"]

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}
_SHOWN_BYTES = 48
_ORDER = ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")
_OPTIONAL = ("public_key", "user_data", "nonce")


def plain(text: str, limit: int = 120) -> str:
    """Return text without anything that steers a terminal, cut to ``limit`` characters."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"


def render_document(report: Report) -> list[str]:
    """Return what a document says, field by field with its byte range, and the verdict."""
    reading = report.reading
    lines = [f"  {name:<12} {span:<13} {text}" for name, span, text in _rows(reading)]
    lines += [f"  not read     {step.where}: {step.found}" for step in _broken(report)]
    return [*lines, f"  verdict      {_verdict(report)}"]


def _broken(report: Report) -> list[StepOutcome]:
    return [step for step in report.steps[:2] if step.status == "failed"]


def _rows(reading: Reading) -> Iterator[tuple[str, str, str]]:
    kind = f"{reading.kind or 'unknown kind'}, {reading.mode or 'no mode'}"
    if reading.sign1 is None:  # no message: nothing is known of its fields
        yield "document", f"0–{len(reading.raw)}", "not a COSE_Sign1 that can be read"
        return
    tag = "tagged" if reading.sign1.tagged else "untagged"
    yield "document", f"0–{len(reading.raw)}", f"{tag} COSE_Sign1; {kind}"
    for name in (*_ORDER, *_OPTIONAL):
        yield from _field(reading, name)
    for name in reading.unknown:
        yield plain(name, 12), _range(reading.spans.get(name)), "a field this package does not know"
    yield "signature", _range(reading.spans.get("signature")), "r ‖ s"


def _field(reading: Reading, name: str) -> Iterator[tuple[str, str, str]]:
    span = _range(reading.spans.get(name))
    key = "timestamp_ms" if name == "timestamp" else name
    if key not in reading.values:
        yield name, span, "breaks its rule, see below"
        return
    value = reading.values[key]
    if name == "timestamp":
        hint = seconds_hint(value)
        yield name, span, f"{value} ({time_of(value).isoformat()})" + (f"; {hint}" if hint else "")
    elif name == "pcrs":
        zero = sum(not any(pcr) for pcr in value.values())
        yield name, span, f"{len(value)}, of which {zero} all zero"
        for index, pcr in value.items():
            if any(pcr):
                yield f"  PCR{index}", _range(reading.spans.get(f"pcrs[{index}]")), pcr.hex()
    elif name == "cabundle":
        yield name, span, f"{len(value)} certificates, root first"
    elif isinstance(value, bytes):
        yield name, span, _bytes(value)
    else:
        yield name, span, "null or absent" if value is None else plain(str(value))


def _range(span: FieldSpan | None) -> str:
    return "" if span is None else f"{span.start}–{span.end}"


def _bytes(value: bytes) -> str:
    head = value[:_SHOWN_BYTES].hex()
    more = "…" if len(value) > _SHOWN_BYTES else ""
    return f"{len(value)} bytes {head}{more}"


def fields_json(reading: Reading) -> dict[str, object]:
    """Return the rest of a document for programs: byte fields in hex, and every byte range."""
    fields: dict[str, object] = dict.fromkeys(_OPTIONAL)
    for name in ("digest", "certificate", "cabundle", *_OPTIONAL):
        value = reading.values.get(name)
        if isinstance(value, tuple):
            fields[name] = [der.hex() for der in value]
        else:
            fields[name] = value.hex() if isinstance(value, bytes) else value
    fields["unknown"] = list(reading.unknown)
    fields["spans"] = {
        name: {"start": span.start, "end": span.end, "payload": span.in_payload}
        for name, span in reading.spans.items()
    }
    return fields


def render_report(report: Report) -> list[str]:
    """Return one line a step, and for a failed one what was found, expected, and where."""
    lines = []
    for number, step in enumerate(report.steps, 1):
        head = f"{number:>3} {_MARKS[step.status]} {step.id:<10} {step.title}"
        if step.status == "failed":
            lines += [head, *_failure(step)]
        else:
            note = "not run: " if step.status == "skipped" else ""
            lines.append(f"{head}: {note}{plain(step.found)}")
            lines += [f"      {plain(detail, 160)}" for detail in step.detail]
    return [*lines, f"    verdict: {_verdict(report)}"]


def _failure(step: StepOutcome) -> Iterable[str]:
    yield f"      where     {plain(step.where)}"
    yield f"      found     {plain(step.found, 240)}"
    yield f"      expected  {plain(step.expected, 240)}"
    yield f"      clause    {step.clause}"
    yield from (f"      and       {plain(detail, 240)}" for detail in step.detail)
    yield f"      next      {step.next}"


def _verdict(report: Report) -> str:
    if report.checked_at is None:
        when = "at no time that could be read"
    else:
        own = ", the document's own time" if report.time_source == "document" else ""
        when = f"at {report.checked_at.isoformat(timespec='milliseconds')}{own}"
    because = f"; failed: {', '.join(report.failed)}" if report.failed else ""
    return f"{report.verdict} {when}, under root {report.root_fingerprint[:16]}…{because}"


def render_row(report: Report | None, name: str) -> str:
    """Return one line of the summary table; None stands for input that could not be read.

    A person reads one word: ``valid`` only where every check asked for passed. (``verdict`` in
    JSON is about authenticity, and ``accepted`` stands beside it.)
    """
    if report is None:
        return f"{'refused':<8} {'–':<8} {'–':<10} {'–':<23} {'–':<40} {'input':<20} {plain(name)}"
    values = report.reading.values
    time = values.get("timestamp_ms")
    moment = "–" if time is None else time_of(time).isoformat(timespec="milliseconds")[:23]
    cells = (
        f"{report.verdict if report.accepted else 'refused':<8}",
        f"{report.reading.kind or '–':<8}",
        f"{report.reading.mode or '–':<10}",
        f"{moment:<23}",
        f"{plain(values.get('module_id', '–'), 40):<40}",
        f"{', '.join(report.failed) or '–':<20}",
        plain(name),
    )
    return " ".join(cells)
