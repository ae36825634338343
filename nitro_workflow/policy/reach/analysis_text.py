"""Analyses as text: the verdict first, then who, then what to mend."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.policy.reach.analysis import Analysis
from nitro_workflow.policy.reach.one_image import ImageAnswer
from nitro_workflow.policy.reach.ways import Way
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["render_analysis", "render_image"]

_VERDICTS = {
    "without_attestation": {
        "none": "No path to the plaintext without attestation.",
        "path": "There is a path to the plaintext WITHOUT attestation.",
        "unknown": "Unknown whether there is a path to the plaintext without attestation.",
    },
    "any_image": {
        "none": "No path with a document of another image.",
        "path": "There is a path with a document of ANOTHER IMAGE.",
        "unknown": "Unknown whether there is a path with a document of another image.",
    },
    "debug": {
        "none": "No path from an enclave in debug mode.",
        "path": "There is a path from an enclave in DEBUG MODE.",
        "unknown": "Unknown whether there is a path from an enclave in debug mode.",
    },
}

MEANING = "conditions compare keys with constants, no variables; each key by one kind of operator"


def render_analysis(analysis: Analysis) -> str:
    """Return the lines of an analysis, joined."""
    lines = [_VERDICTS[question][verdict] for question, verdict in analysis.answers.items()]
    if "none" in analysis.answers.values():
        lines.append(
            f"  “No path” is proved: every kind of request was looked at (fragment"
            f" “{analysis.fragment}”)"
        )
    if "none" in analysis.answers.values() or analysis.unknown:
        lines.append(f"  “{analysis.fragment}”: {MEANING}")
    lines += [f"  provided that {text}" for text in analysis.assumes]
    lines += [
        f"  {entry.action}: {entry.reason} is outside the fragment “{analysis.fragment}”"
        for entry in analysis.unknown
    ]
    if analysis.without_attestation == "none" and any(way.witness for way in analysis.changers):
        lines.append("  as the policy stands: who can change that is listed below")
    lines += ["", "Who can get the plaintext"]
    lines += _ways(analysis.ways) or ["  nobody"]
    lines += ["", "Who can change that"]
    lines += _ways(analysis.changers) or ["  nobody"]
    if analysis.data_keys:
        lines += ["", "Who can make data keys", *_ways(analysis.data_keys)]
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


_PASSES = {
    "none": "This image does not get the plaintext.",
    "path": "This image gets the plaintext.",
    "unknown": "Unknown whether this image gets the plaintext.",
}
_TWIN = {
    "none": "Its debug twin does not.",
    "path": "Its DEBUG twin gets it too.",
    "unknown": "Unknown whether its debug twin gets it.",
}


def render_image(answer: ImageAnswer) -> str:
    """Return the lines of an answer about one image, joined."""
    shown = [w.request for w in (answer.witness, answer.debug_witness) if w is not None]
    return "\n".join([
        _PASSES[answer.passes], _TWIN[answer.debug_twin],
        *(f"  shown by: {request.action} by {request.principal.arn}" for request in shown),
        *(f"  {reason} is outside the fragment" for reason in answer.unknown),
    ])  # fmt: skip


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
        lines += [f"      {c.operator} {c.key}: {' or '.join(c.values)}" for c in way.conditions]
    return lines
