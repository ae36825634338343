"""A decision explained: verdict, the three answers, the request, the statements, who can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nitro_workflow.widgets.drawing import Digest, Head, Tone, groups_of
from nitro_workflow.widgets.formats import sentence
from nitro_workflow.widgets.inspectors.policy_checks import StatementView, statements_of, text_of
from nitro_workflow.widgets.inspectors.policy_form import FormField
from nitro_workflow.widgets.inspectors.policy_reach import AnswerTile, FindingLine, WayLine

__all__ = ["PolicyModel", "decision_head", "make_policy"]

_A_LINE = 6  # groups: a PCR is two lines

_VERDICTS: Mapping[str, tuple[str, Tone]] = {
    "allowed": ("Allowed", "good"),
    "implicitDeny": ("Denied: nothing allows it", "bad"),
    "explicitDeny": ("Denied by an explicit Deny", "bad"),
}
# What a denial comes to, in words, by the code of its cause.
_CAUSES = {
    "no_document": "no attestation document",
    "debug_mode": "the enclave runs in debug mode",
    "other_role": "the parent has another role",
    "other_instance": "it runs on another instance",
    "other_signer": "the image is signed by another",
    "unsigned_image": "the image is not signed",
    "encryption_context": "another encryption context",
    "wrong_principal": "no Allow names this caller",
    "deleted_principal": "who was named is deleted",
    "wrong_action": "no Allow is about this action",
    "wrong_resource": "no Allow is about this resource",
    "placeholder": "the policy is still a template",
    "upper_case": "the policy spells the PCR in upper case",
    "wrong_length": "a PCR of the policy has the wrong length",
}
_SOURCES = {
    "verified": "The PCRs are those of a verified attestation document, or there was none.",
    "what-if": "Hypothetical: the request is taken as given, nothing was verified.",
}


@dataclass(frozen=True, slots=True)
class PolicyModel:
    """The whole view. ``said`` are AWS's own words; ``flipped`` what came out otherwise, in words.

    ``difference`` are the lines in which the edited policy differs from the given one.
    """

    head: Head
    request: tuple[tuple[str, str], ...]
    statements: tuple[StatementView, ...]
    source: str = ""
    said: str = ""
    said_by: Literal["AWS says", "AWS would say"] = "AWS says"
    also: tuple[str, ...] = ()
    answers: tuple[AnswerTile, ...] = ()
    assumes: tuple[str, ...] = ()
    fields: tuple[FormField, ...] = ()
    ways: tuple[WayLine, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    policy: str = ""
    difference: tuple[str, ...] = ()
    flipped: tuple[str, ...] = ()
    kind: Literal["policy"] = "policy"


def make_policy(given: object, *, said: str = "", title: str = "") -> PolicyModel:
    """Return the view of a decision's JSON record (`policy.Explanation.to_json`).

    Raises nothing: what a record does not tell, or tells in another shape, is shown as not told.
    """
    record: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    statements = statements_of(record)
    return PolicyModel(
        head=decision_head(record, title),
        request=(
            *((key, text_of(record, key)) for key in ("principal", "action", "resource")),
            *_found(statements),
        ),
        statements=statements,
        source=_SOURCES.get(text_of(record, "basis"), ""),
        said=said,
        also=_texts(record.get("also")),
    )


def _found(statements: Sequence[StatementView]) -> list[tuple[str, str]]:
    """Return what the conditions found in the request, each key once, digests in groups."""
    found: dict[str, str] = {}
    for check in (check for view in statements for check in view.checks if check.operator):
        digest = check.found_digest
        found.setdefault(check.name, _lines(digest) if digest else check.found)
    return sorted(found.items())


def _lines(digest: Digest) -> str:
    groups = groups_of(digest.hex)
    return "\n".join(" ".join(groups[at : at + _A_LINE]) for at in range(0, len(groups), _A_LINE))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def decision_head(record: Mapping[str, Any], title: str = "") -> Head:
    """Return verdict, why and next of a decision's record."""
    decision, cause = text_of(record, "decision"), text_of(record, "cause")
    verdict, tone = _VERDICTS.get(decision, ("The record does not tell the decision", "warning"))
    why = _cause(record, decision)
    if tone == "bad":
        verdict = _denied(cause, why) or verdict
    return Head(
        title or _what(record),
        verdict,
        tone,
        sentence(why),
        sentence(text_of(record, "next", "")),
    )


def _cause(record: Mapping[str, Any], decision: str) -> str:
    """Return the cause of a summary, which begins with the decision and the statement."""
    nearest = record.get("nearest")
    place = nearest if isinstance(nearest, Mapping) else {}
    sid = f" “{text_of(place, 'sid')}”" if place.get("sid") else ""
    label = f"{text_of(place, 'policy')}, statement {text_of(place, 'statement')}{sid}"
    why = text_of(record, "summary").removeprefix(f"{decision}: ")
    return why.removeprefix(f"{decision} by {label}: ")


def _what(record: Mapping[str, Any]) -> str:
    action, who = text_of(record, "action"), text_of(record, "principal")
    key = text_of(record, "resource")
    return f"{action} by {_last(who)} on {_last(key)}"


def _last(arn: str) -> str:
    """Return how a person calls an ARN: what stands after the account."""
    return arn.split(":", 5)[5] if arn.count(":") >= 5 else arn


def _denied(cause: str, why: str) -> str:
    if cause == "rebuilt_image":
        pcr = why.rpartition(" differs")[0].rpartition(" ")[2]
        return f"Denied: {pcr or 'a PCR'} is another image's"
    return f"Denied: {_CAUSES[cause]}" if cause in _CAUSES else ""
