"""A policy decision with its reason, as a view.

A decision is drawn from its JSON record, so that one met in an event of the cloud and one made for
a question look alike; the view says which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def decision_model(
    explanation: Mapping[str, Any], *, title: str = "", editable: Mapping[str, str] | None = None
) -> DecisionModel:
    """Return the view model of `policy.Explanation.to_json`.

    ``editable`` maps the condition keys that a reader may change to their present values.
    """
    verdict, tone = _VERDICTS[explanation["decision"]]
    action = str(explanation["action"])
    who = str(explanation["principal"]).rsplit(":", 1)[-1]
    return DecisionModel(
        title=title or f"{action} by {who}",
        verdict=verdict,
        tone=tone,
        request=tuple((key, str(explanation[key])) for key in ("principal", "action", "resource")),
        statements=tuple(_statements(explanation)),
        reason=str(explanation["summary"]),
        next=str(explanation.get("next") or ""),
        source=_SOURCES.get(str(explanation.get("basis")), ""),
        editable=tuple((editable or {}).items()),
    )


def _statements(explanation: Mapping[str, Any]) -> Iterator[StatementLine]:
    """Yield those that apply and the nearest one in full, the others by what they fail on."""
    nearest = explanation.get("nearest") or {}
    place = (nearest.get("policy"), nearest.get("statement"))
    for record in explanation["statements"]:
        full = record["applies"] or (record["policy"], record["statement"]) == place
        yield _statement(record, full=full)


def _statement(record: Mapping[str, Any], *, full: bool) -> StatementLine:
    applies, effect = bool(record["applies"]), str(record["effect"])
    tone: Tone = "neutral" if not applies else "good" if effect == "Allow" else "bad"
    label = str(record.get("sid") or f"statement {record['statement']}")
    failed = [_title(check) for check in record["checks"] if not check["matched"]]
    outcome = "applies" if applies else f"does not apply: {', '.join(failed)}"
    checks = tuple(_check(check) for check in record["checks"]) if full else ()
    return StatementLine(f"{label} ({record['policy']})", effect, tone, outcome, checks)


def _title(record: Mapping[str, Any]) -> str:
    key = str(record.get("key") or record["element"])
    return key.removeprefix("kms:RecipientAttestation:")


def _check(record: Mapping[str, Any]) -> CheckLine:
    title = _title(record)
    matched = bool(record["matched"])
    found = "no such key in the request" if record["found"] is None else _some(record["found"])
    operator = f"{record['operator']}: " if record.get("operator") else ""
    return CheckLine(
        id=str(record["element"]),
        title=title,
        tone="good" if matched else "warning",
        outcome=operator + ("matches" if matched else str(record.get("note") or "differs")),
        found="" if matched else found,
        expected="" if matched else _expected(record),
    )


def _expected(record: Mapping[str, Any]) -> str:
    all_but = "all but " if "Not" in str(record.get("operator", "")) else ""
    return all_but + _some(record["expected"])


def _some(values: Sequence[Any]) -> str:
    more = len(values) - _SHOWN
    text = short(list(values)[:_SHOWN])
    return f"{text} and {more} more" if more > 0 else text
