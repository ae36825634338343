"""The twelve checks of a report, each with the bytes that it looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nitro_workflow.attestation import FieldSpan, Report, StepOutcome
from nitro_workflow.widgets.drawing import Tone

__all__ = ["SHORT_NAMES", "Check", "checks_of", "summary_of"]

SHORT_NAMES = {
    "shape": "shape", "fields": "fields", "chain": "chain", "validity": "validity",
    "root": "root", "signature": "signature", "freshness": "fresh", "nonce": "nonce",
    "pcrs": "PCRs", "debug": "debug", "user_data": "user data", "public_key": "public key",
}  # fmt: skip

_TONES: Mapping[str, Tone] = {"passed": "good", "failed": "bad", "skipped": "neutral"}
_LOOKS_AT: Mapping[str, tuple[str, ...]] = {
    "shape": ("message",),
    "fields": ("payload",),
    "chain": ("certificate", "cabundle"),
    "validity": ("certificate", "cabundle"),
    "root": ("cabundle[0]",),
    "signature": ("protected", "payload", "signature"),
    "freshness": ("timestamp",),
    "nonce": ("nonce",),
    "pcrs": ("pcrs",),
    "debug": ("pcrs[0]",),
    "user_data": ("user_data",),
    "public_key": ("public_key",),
}
_PCR = re.compile(r"PCR(\d+)")
_BYTE = re.compile(r"byte (\d+)")
_NUMBERS = (
    "None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten",
    "Eleven", "Twelve",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``spans`` are the byte ranges that it looks at, where it failed first."""

    id: str
    short: str
    title: str
    tone: Tone
    outcome: str
    expected: str = ""
    where: str = ""
    clause: str = ""
    detail: tuple[str, ...] = ()
    next: str = ""
    spans: tuple[tuple[int, int], ...] = ()


def checks_of(report: Report) -> tuple[Check, ...]:
    """Return all checks of a report, in their order."""
    spans = report.reading.spans
    return tuple(_check(step, spans, len(report.reading.raw)) for step in report.steps)


def _check(step: StepOutcome, spans: Mapping[str, FieldSpan], size: int) -> Check:
    failed = step.status == "failed"
    return Check(
        id=step.id,
        short=SHORT_NAMES.get(step.id, step.id),
        title=step.title,
        tone=_TONES[step.status],
        outcome=step.found,
        expected=step.expected if failed else "",
        where=step.where if failed else "",
        clause=step.clause,
        detail=step.detail,
        next=step.next if failed else "",
        spans=tuple(dict.fromkeys(_spans(step, spans, size))),
    )


def _spans(
    step: StepOutcome, spans: Mapping[str, FieldSpan], size: int
) -> Iterator[tuple[int, int]]:
    if step.where and (place := _place(step.where, spans, size)):
        yield place
    for name in _LOOKS_AT.get(step.id, ()):
        if name in spans:
            yield spans[name].start, spans[name].end
        elif name == "message":
            yield 0, size


def _place(where: str, spans: Mapping[str, FieldSpan], size: int) -> tuple[int, int] | None:
    """Return the range that a step's ``where`` names: a field, a PCR, a byte."""
    pcr, byte = _PCR.fullmatch(where), _BYTE.search(where)
    name = f"pcrs[{pcr[1]}]" if pcr else where
    if name in spans:
        return spans[name].start, spans[name].end
    if byte and int(byte[1]) < size:
        return int(byte[1]), int(byte[1]) + 1
    return None


def summary_of(checks: tuple[Check, ...]) -> str:
    """Return how many passed, failed, and were not asked for, as a sentence."""
    tones = [check.tone for check in checks]
    passed, failed, rest = (_NUMBERS[tones.count(t)] for t in ("good", "bad", "neutral"))
    said = f"{passed} of {_NUMBERS[len(checks)].lower()} checks passed"
    said += "." if rest == _NUMBERS[0] else f", {rest.lower()} could not run or were not asked for."
    return f"{said} {failed} failed."
