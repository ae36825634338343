"""Explanations as text: the decision first, then the statement that matters, then the rest."""

from __future__ import annotations

from nitro_workflow.policy.language import feeds, parse_key
from nitro_workflow.policy.reasons.explanation import Explanation
from nitro_workflow.policy.reasons.outcomes import StatementCheck, StatementOutcome

__all__ = ["render_explanation"]

_HEADLINES = {
    "allowed": "ALLOWED",
    "implicitDeny": "DENIED: nothing allows it (implicitDeny)",
    "explicitDeny": "DENIED: a statement forbids it (explicitDeny)",
}
_LABEL = 12  # characters of the first column under a statement
_INDENT = 16  # where compared values begin
_ROW = 48  # half a measurement


def render_explanation(explanation: Explanation, width: int = 0) -> str:
    """Return the lines of an explanation, joined; ``width`` is in characters, 0 for any."""
    request, decision, cause = explanation.request, explanation.decision, explanation.cause
    lines = [_HEADLINES[decision.effect], f"  why    {cause.text}"]
    if cause.next_step:
        lines.append(f"  next   {cause.next_step}")
    lines += [f"  also   {text}" for text in explanation.also]
    lines += ["", f"  who    {request.principal.arn}", f"  what   {request.action}"]
    lines += [f"  on     {request.resource}"]
    nearest = explanation.nearest
    if nearest is not None:
        title = "Decided by" if nearest.applies else "Nearest statement"
        lines += ["", f"{title}: {nearest.label} ({nearest.statement.effect})"]
        for check in nearest.checks:
            lines += _check(check, nearest, width)
    others = [outcome for outcome in explanation.outcomes if outcome is not nearest]
    if others:
        lines += ["", "The other statements" if nearest else "The statements"]
        lines += [_one_line(outcome) for outcome in others]
    lines += ["", _BASIS[decision.basis]]
    return "\n".join(lines)


_BASIS = {
    "verified": "The PCRs are those of a verified attestation document, or there was none.",
    "what-if": "A what-if: the request is taken as given, nothing was verified.",
}


def _name(check: StatementCheck) -> str:
    pcr = parse_key(check.key)
    return pcr.label if pcr else check.key or check.element


def _check(check: StatementCheck, outcome: StatementOutcome, width: int) -> list[str]:
    """Return one line for what went without saying, and the whole comparison for what decided."""
    decisive = not check.matched or (not outcome.statement.allow and check.condition is not None)
    mark = "✗" if decisive else "✓"
    if not decisive:
        text = ", ".join(map(_short, check.expected))
        operator = f"  ({check.operator})" if check.operator else ""
        return [f"  {mark} {_name(check):<{_LABEL}}  {text}{operator}"]
    pcr = parse_key(check.key)
    about = f"measures {feeds(pcr)}" if pcr else ""
    head = "  ".join(filter(None, (check.operator, about)))
    lines = [f"  {mark} {_name(check):<{_LABEL}}  {head or check.note}".rstrip()]
    return lines + _comparison(check, _expectation(check, outcome), width)


def _comparison(check: StatementCheck, label: str, width: int) -> list[str]:
    """Return expected above found, the first differing character marked, in rows that fit."""
    if check.difference is None or not check.found:
        found = ", ".join(check.found) if check.found else _absent(check)
        lines = [f"      {label:<9} {', '.join(check.expected)}", f"      found     {found}"]
        told = check.note and check.found and check.condition is not None
        return [*lines, f"      {check.note}"] if told else lines
    expected, found, at = check.nearest, check.found[0], check.difference
    longest = max(len(expected), len(found), 1)
    row = longest if not width or width >= longest + _INDENT else _ROW
    lines = []
    for start in range(0, longest, row):
        lines.append(f"      {label:<9} {expected[start : start + row]}".rstrip())
        lines.append(f"      found     {found[start : start + row]}".rstrip())
        if start <= at < start + row or (at == longest and start + row >= longest):
            lines.append(" " * (_INDENT + at - start) + f"▲ character {at + 1} differs")
    more = len(check.expected) - 1
    return [*lines, f"                (nearest of {more + 1} values)"] if more else lines


def _expectation(check: StatementCheck, outcome: StatementOutcome) -> str:
    """Name what the values of the policy are here: wanted, excepted or forbidden."""
    negated = check.condition is not None and check.condition.operator.base.negated
    if outcome.statement.allow:
        return "not" if negated else "expected"
    return "all but" if negated else "forbids"


def _absent(check: StatementCheck) -> str:
    if parse_key(check.key):
        return "nothing: the request has no such measurement"
    return "nothing: the request has no such key"


def _short(text: str) -> str:
    """Shorten a measurement where it is right and need not be read."""
    return f"{text[:8]}…{text[-8:]}" if len(text) > 80 and " " not in text else text


def _one_line(outcome: StatementOutcome) -> str:
    mark = "✓" if outcome.applies else "·"
    failed = ", ".join(_name(check) for check in outcome.failed)
    why = "applies" if outcome.applies else f"not here: {failed}"
    return f"  {mark} {outcome.label} ({outcome.statement.effect}): {why}"
