"""Explanations as text: the decision first, then the statement that matters, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.policy.outcomes import Check, StatementOutcome
from nitro_workflow.policy.pcrs import feeds, parse_key

if TYPE_CHECKING:
    from nitro_workflow.policy.explain import Explanation

__all__ = ["render_text"]

_HEADLINES = {
    "allowed": "ALLOWED",
    "implicitDeny": "DENIED — no statement allows it (implicitDeny)",
    "explicitDeny": "DENIED — a statement forbids it (explicitDeny)",
}


def render_text(explanation: Explanation) -> str:
    """Return the lines of an explanation, joined."""
    request, decision, cause = explanation.request, explanation.decision, explanation.cause
    lines = [
        _HEADLINES[decision.effect],
        f"  who       {request.principal.arn}",
        f"  what      {request.action}",
        f"  on        {request.resource}",
        f"  because   {cause.text}",
    ]
    if cause.next_step:
        lines.append(f"  next      {cause.next_step}")
    nearest = explanation.nearest
    if nearest is not None:
        title = "Decided by" if nearest.applies else "Nearest statement"
        lines += ["", f"{title}: {nearest.label} ({nearest.statement.effect})"]
        for check in nearest.checks:
            lines += _check(check, nearest)
    others = [outcome for outcome in explanation.outcomes if outcome is not nearest]
    if others:
        lines += ["", "The other statements" if nearest else "The statements"]
        lines += [_one_line(outcome) for outcome in others]
    if decision.basis == "what-if":
        lines += [
            "",
            "A what-if: the values of the request are taken as given, nothing was verified.",
        ]
    return "\n".join(lines)


def _check(check: Check, outcome: StatementOutcome) -> list[str]:
    mark = "✓" if check.matched else "✗"
    name = f"{check.operator} {check.key}".strip() or check.element
    wide = len(name) > 12 or check.condition is not None
    if check.matched and outcome.statement.allow and not wide:
        return [f"  {mark} {name:<12}  {_values(check.expected)}"]
    lines = [f"  {mark} {name}" + (f"  ({check.note})" if check.note else "")]
    pcr = parse_key(check.key)
    if pcr is not None:
        lines.append(f"      {pcr.label} measures {feeds(pcr)}")
    expected = (check.nearest,) if check.difference is not None else check.expected
    more = len(check.expected) - len(expected)
    lines.append(f"      expected  {_values(expected)}" + (f"  (or {more} more)" if more else ""))
    lines.append(f"      found     {_values(check.found or ()) if check.found else 'nothing'}")
    if check.difference is not None and check.found:
        lines.append(
            " " * (16 + check.difference) + f"▲ differs from character {check.difference + 1}"
        )
    return lines


def _values(values: tuple[str, ...]) -> str:
    return ", ".join(values) if len(values) <= 6 else f"{', '.join(values[:6])}, … ({len(values)})"


def _one_line(outcome: StatementOutcome) -> str:
    mark = "✓" if outcome.applies else "·"
    failed = outcome.failed
    why = (
        "applies"
        if not failed
        else "not for this: "
        + ", ".join(f"{check.operator} {check.key}".strip() or check.element for check in failed)
    )
    return f"  {mark} {outcome.label} ({outcome.statement.effect}) — {why}"
