"""Explanations as text: the decision first, then the statement that matters, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.policy.outcomes import Check, StatementOutcome
from nitro_workflow.policy.pcrs import feeds, parse_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitro_workflow.policy.analyse import Analysis, Way
    from nitro_workflow.policy.explain import Explanation
    from nitro_workflow.policy.witness import Witness

__all__ = ["render_analysis", "render_text"]

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


_VERDICTS = {
    "none": "No path to the plaintext without attestation.",
    "path": "There is a path to the plaintext WITHOUT attestation.",
    "unknown": "Unknown whether there is a path to the plaintext without attestation.",
}


def render_analysis(analysis: Analysis) -> str:
    """Return the lines of an analysis, joined."""
    lines = [_VERDICTS[analysis.without_attestation]]
    if analysis.without_attestation == "none":
        lines.append(f"  proved in the fragment “{analysis.fragment}”")
    lines += [f"  provided that {text}" for text in analysis.assumes]
    lines += [
        f"  {entry.action}: {entry.construct} is outside the fragment “{analysis.fragment}”"
        for entry in analysis.unknown
    ]
    if analysis.without_attestation == "none" and any(way.witness for way in analysis.changers):
        lines.append("  as the policy stands: who can change that is listed below")
    lines += ["", "Who can get the plaintext"]
    lines += _ways(analysis.ways) or ["  nobody"]
    lines += ["", "Who can change that"]
    lines += _ways(analysis.changers) or ["  nobody"]
    lines += ["", "Findings" if analysis.findings else "No findings."]
    for finding in analysis.findings:
        where = f"{finding.statement.label}: " if finding.statement else ""
        request = finding.witness.request
        shown = f"{request.action} by {request.principal.arn}"
        lines += [
            f"  {finding.severity.upper():<8}  {where}{finding.title}  [{finding.code}]",
            f"            {finding.detail}",
            f"            fix: {finding.fix}",
            f"            shown by: {shown}, {_outcome(finding.witness)}",
        ]
    return "\n".join(lines)


def _outcome(witness: Witness) -> str:
    carrying = "with" if witness.request.context.attested else "without"
    return f"{carrying} a document → {witness.effect}"


def _ways(ways: Sequence[Way]) -> list[str]:
    lines: list[str] = []
    for way in ways:
        mark = "✓" if way.witness else "·"
        condition = "with a document" if way.attested else "without a document"
        what = condition if way.witness else way.effect
        iam = " (through IAM)" if way.delegates else ""
        lines.append(f"  {mark} {way.action:<18} {', '.join(way.principals)}{iam}: {what}")
        lines.append(f"      {way.source}")
        lines += [f"      {key} = {' or '.join(values)}" for key, values in way.pcrs]
    return lines
