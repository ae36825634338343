"""A policy decision with its reason, as a view.

A decision is drawn from its JSON record, so that one met in an event of the cloud and one made for
a question look alike; the view says which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nitro_workflow.widgets.formats import short
from nitro_workflow.widgets.view_model import (
    CheckLine,
    DecisionModel,
    StatementLine,
    Tone,
)

__all__ = ["decision_model"]

_VERDICTS: dict[str, tuple[str, Tone]] = {
    "allowed": ("allowed", "good"),
    "implicitDeny": ("denied: nothing allows it", "bad"),
    "explicitDeny": ("denied by an explicit Deny", "bad"),
}
_SOURCES = {
    "verified": "Attestation values: from a verified document.",
    "what-if": "Attestation values: hypothetical (what if).",
}
_SHOWN = 4  # values of a list that a check shows before it counts the rest


_UNTOLD = "not told"


def decision_model(
    explanation: Mapping[str, Any], *, title: str = "", editable: Mapping[str, str] | None = None
) -> DecisionModel:
    """Return the view model of `policy.Explanation.to_json`.

    ``editable`` maps the condition keys that a reader may change to their present values. Raises
    nothing: what a record does not tell, or tells in another shape, is shown as not told.
    """
    record = _mapping(explanation)
    verdict, tone = _VERDICTS.get(_text(record, "decision"), (_UNTOLD, "warning"))
    who = _text(record, "principal").rsplit(":", 1)[-1]
    return DecisionModel(
        title=title or f"{_text(record, 'action')} by {who}",
        verdict=verdict,
        tone=tone,
        request=tuple((key, _text(record, key)) for key in ("principal", "action", "resource")),
        statements=tuple(_statements(record)),
        reason=_text(record, "summary"),
        next=_text(record, "next", ""),
        source=_SOURCES.get(_text(record, "basis"), ""),
        editable=tuple((editable or {}).items()),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _text(record: Mapping[str, Any], key: str, otherwise: str = _UNTOLD) -> str:
    value = record.get(key)
    return otherwise if value is None or value == "" else short(value)


def _statements(explanation: Mapping[str, Any]) -> Iterator[StatementLine]:
    """Yield those that apply and the nearest one in full, the others by what they fail on."""
    nearest = _mapping(explanation.get("nearest"))
    place = (nearest.get("policy"), nearest.get("statement"))
    for record in _mappings(explanation.get("statements")):
        full = bool(record.get("applies"))
        full = full or (record.get("policy"), record.get("statement")) == place
        yield _statement(record, full=full)


def _statement(record: Mapping[str, Any], *, full: bool) -> StatementLine:
    applies, effect = record.get("applies") is True, _text(record, "effect")
    tone: Tone = "neutral" if not applies else "good" if effect == "Allow" else "bad"
    label = _text(record, "sid", f"statement {_text(record, 'statement')}")
    checks = _mappings(record.get("checks"))
    failed = [_title(check) for check in checks if check.get("matched") is not True]
    outcome = "applies" if applies else f"does not apply: {', '.join(failed)}"
    denies = applies and effect == "Deny"
    lines = tuple(_check(check, denies=denies) for check in checks) if full else ()
    return StatementLine(f"{label} ({_text(record, 'policy')})", effect, tone, outcome, lines)


def _title(record: Mapping[str, Any]) -> str:
    key = _text(record, "key", _text(record, "element"))
    return key.removeprefix("kms:RecipientAttestation:")


def _check(record: Mapping[str, Any], *, denies: bool) -> CheckLine:
    """Draw one comparison; a condition that makes a Deny apply is what decided, and is no ✓."""
    matched = record.get("matched") is True
    decided = matched and denies and record.get("key") is not None
    found = record.get("found")
    said = "no such key in the request" if found is None else _some(found)
    operator = _text(record, "operator", "")
    outcome = "matches, and so denies" if decided else "matches"
    outcome = outcome if matched else _text(record, "note", "differs")
    told = decided or not matched
    return CheckLine(
        id=_text(record, "element"),
        title=_title(record),
        tone="bad" if decided else "good" if matched else "warning",
        outcome=f"{operator}: {outcome}" if operator else outcome,
        found=said if told else "",
        expected=_expected(record) if told else "",
    )


def _expected(record: Mapping[str, Any]) -> str:
    all_but = "all but " if "Not" in _text(record, "operator", "") else ""
    return all_but + _some(record.get("expected"))


def _some(values: object) -> str:
    if not isinstance(values, list | tuple):
        return short(values)
    more = len(values) - _SHOWN
    text = short(list(values)[:_SHOWN])
    return f"{text} and {more} more" if more > 0 else text
