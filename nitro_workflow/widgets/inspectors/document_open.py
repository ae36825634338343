"""Opens an attestation document: judges it, and answers what breaks when a byte changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.attestation import At, Report
from nitro_workflow.errors import UsageError
from nitro_workflow.widgets.inspectors.document_checks import checks_of
from nitro_workflow.widgets.inspectors.document_model import DocumentModel, make_document
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["MAX_COVERED", "document_answers", "open_document"]

MAX_COVERED = 256
"""Bytes that one question about coverage flips; each costs a whole verification."""

Explain = Callable[[bytes], Report]


def open_document(found: Recognised, ask: Ask) -> Opened:
    """Return the inspector of a document. Raises `CertificateError` for a root that is none."""
    judge = _Judge(found, ask)
    report = judge.explain(found.data)

    def chain() -> Opened:
        from nitro_workflow.widgets.inspectors.chain_open import chain_of_reading

        return chain_of_reading(report.reading, ask, report.checked_at)

    answers = {**document_answers(found.data, judge.explain), "judge": judge.again}
    return Opened(judge.model(report), answers, {"chain": chain})


class _Judge:
    """Judges one document at a time that the reader may change: now, or its own."""

    def __init__(self, found: Recognised, ask: Ask) -> None:
        self._found = found
        self._ask = ask
        self._verifier = ask.verifier()
        self._at: At = ask.moment

    def explain(self, data: bytes) -> Report:
        return self._verifier.explain(data, at=self._at, expected=self._ask.expected)

    def model(self, report: Report) -> DocumentModel:
        found = self._found
        return make_document(report, form=found.form, name=found.name, trust=self._ask.trust)

    def again(self, values: Mapping[str, Any]) -> DocumentModel:
        """Return the document judged ``at`` ``"document"``, or now."""
        own = values.get("at") == "document"
        if own and self._ask.expected.max_age is not None:
            raise UsageError("a maximum age at the document's own time", expected="now")
        self._at = "document" if own else datetime.now(UTC)
        return self.model(self.explain(self._found.data))


def document_answers(
    data: bytes, explain: Explain
) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
    """Return the answers of a document's live form.

    ``change`` takes ``at`` (offset) and ``value`` (0 to 255); ``coverage`` takes ``start`` and
    ``count``, and flips the lowest bit of each byte in turn.
    """

    def change(values: Mapping[str, Any]) -> dict[str, Any]:
        at, value = _whole(values, "at", len(data) - 1), _whole(values, "value", 255)
        before = _statuses(explain(data))
        report = explain(_with_byte(data, at, value))
        return {"checks": checks_of(report), "said": _said(report, before)}

    def coverage(values: Mapping[str, Any]) -> list[list[int]]:
        start = _whole(values, "start", len(data))
        count = _whole(values, "count", MAX_COVERED)
        before = _statuses(explain(data))
        rows = []
        for at in range(start, min(len(data), start + count)):
            steps = explain(_with_byte(data, at, data[at] ^ 1)).steps
            failed = sum(1 << n for n, step in enumerate(steps) if step.status == "failed")
            lost = sum(
                1 << n
                for n, step in enumerate(steps)
                if step.status == "skipped" and before[step.id] != "skipped"
            )
            rows.append([failed, lost])
        return rows

    return {"change": change, "coverage": coverage}


def _statuses(report: Report) -> Mapping[str, str]:
    return {step.id: step.status for step in report.steps}


def _with_byte(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


def _whole(values: Mapping[str, Any], name: str, most: int) -> int:
    value = values.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise UsageError(f"{name} {value!r}"[:80], expected=f"a whole number from 0 to {most}")
    return value


def _said(report: Report, before: Mapping[str, str]) -> str:
    """Return what a change does, in one sentence or two."""
    broken = sum(s.status == "failed" and before[s.id] != "failed" for s in report.steps)
    passing = sum(step.status == "passed" for step in report.steps)
    breaks = f"{broken} check{' breaks' if broken == 1 else 's break'}"
    verdict = "The document is accepted." if report.accepted else "The document is refused."
    return f"{breaks if broken else 'No check breaks'}, {passing} still pass. {verdict}"
