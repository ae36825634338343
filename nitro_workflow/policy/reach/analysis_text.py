"""Analyses as text: the verdict first, then who, then what to mend."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.policy.reach.analysis import Analysis, Way
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["render_analysis"]

_VERDICTS = {
    "none": "No path to the plaintext without attestation.",
    "path": "There is a path to the plaintext WITHOUT attestation.",
    "unknown": "Unknown whether there is a path to the plaintext without attestation.",
}


def render_analysis(analysis: Analysis) -> str:
    """Return the lines of an analysis, joined."""
    lines = [_VERDICTS[analysis.without_attestation]]
    if analysis.without_attestation == "none":
        lines.append(
            f"  proved (“{analysis.fragment}”): without a document no Allow applies, or a Deny does"
        )
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
        mark = ("✓" if way.attested else "!") if way.witness else "·"
        condition = "with a document" if way.attested else "without a document"
        what = condition if way.witness else way.effect
        iam = " (through IAM)" if way.delegates else ""
        lines.append(f"  {mark} {way.action:<18} {', '.join(way.principals)}{iam}: {what}")
        lines.append(f"      {way.source}")
        lines += [f"      {key} = {' or '.join(values)}" for key, values in way.pcrs]
    return lines
