"""What a key policy lets happen: its three answers with examples, who can, and what to mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nitro_workflow.policy import Analysis, Way, Witness
from nitro_workflow.registers import ZERO_PCR
from nitro_workflow.widgets.drawing import Head, Tone
from nitro_workflow.widgets.formats import sentence
from nitro_workflow.widgets.inspectors.policy_form import (
    DOCUMENT,
    PCR,
    WITH,
    WITHOUT,
    values_of,
)

__all__ = [
    "AnswerTile",
    "FindingLine",
    "WayLine",
    "answer_tiles",
    "finding_lines",
    "reach_head",
    "way_lines",
]

_ZERO = ZERO_PCR.hex()
_TITLES = {
    "without_attestation": "Without a document",
    "any_image": "From another image",
    "debug": "From a debug enclave",
}
_NONE = {
    "without_attestation": "No request without a document gets the plaintext.",
    "any_image": "No document of an image that the policy does not name does.",
    "debug": "No document whose PCR0 to PCR2 are all zero does.",
}
_WAY = {
    "without_attestation": "There is a way to the plaintext without attestation.",
    "any_image": "There is a way to the plaintext for another image.",
    "debug": "There is a way to the plaintext in debug mode.",
}


@dataclass(frozen=True, slots=True)
class AnswerTile:
    """One of the three answers. ``example`` are form values that show it, a witness if one is.

    ``proved`` says whether every kind of request was looked at.
    """

    title: str
    verdict: str
    tone: Tone
    says: str
    example: tuple[tuple[str, str], ...]
    witness: bool
    proved: bool


@dataclass(frozen=True, slots=True)
class WayLine:
    """One way: to the plaintext, to a new data key, or to another policy."""

    what: str
    action: str
    who: tuple[str, ...]
    how: str
    source: str
    tone: Tone
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingLine:
    """Something to mend, with what shows it."""

    severity: str
    title: str
    detail: str
    fix: str
    place: str


def answer_tiles(analysis: Analysis, start: Mapping[str, str]) -> tuple[AnswerTile, ...]:
    """Return the three answers; an example of each is made from the request in ``start``."""
    shown = {str(name): next(iter(w), None) for name, w in analysis.witnesses.items()}
    return tuple(
        _tile(question, verdict, shown.get(question), analysis, start)
        for question, verdict in analysis.answers.items()
    )


def _tile(
    question: str,
    verdict: str,
    witness: Witness | None,
    analysis: Analysis,
    start: Mapping[str, str],
) -> AnswerTile:
    if verdict == "path" and witness is not None:
        return AnswerTile(_TITLES[question], "Allowed", "warning", _WAY[question],
                          _of_witness(witness), witness=True, proved=True)  # fmt: skip
    example = tuple(_example(question, start).items())
    if verdict == "none":
        return AnswerTile(_TITLES[question], "Denied", "bad", _NONE[question], example,
                          witness=False, proved=True)  # fmt: skip
    why = next((one.reason for one in analysis.unknown if one.question == question), "")
    return AnswerTile(_TITLES[question], "Unknown", "neutral", f"Not proved: {why}", example,
                      witness=False, proved=False)  # fmt: skip


def _of_witness(witness: Witness) -> tuple[tuple[str, str], ...]:
    return tuple(values_of(witness.request).items())


def _example(question: str, start: Mapping[str, str]) -> dict[str, str]:
    """Return the request of ``start``: without a document, by another image, in debug mode."""
    if question == "without_attestation":
        return {**start, DOCUMENT: WITHOUT}
    values = {**start, DOCUMENT: WITH}
    for index in (0, 1, 2) if question == "debug" else (0, 2):
        now = start.get(f"{PCR}{index}", "")
        other = _other(now) if len(now) == len(_ZERO) else "ab" * (len(_ZERO) // 2)
        values[f"{PCR}{index}"] = _ZERO if question == "debug" else other
    return values


def _other(digits: str) -> str:
    """Return a measurement that differs in its first digit, and is not zero."""
    return ("1" if digits[0] != "1" else "2") + digits[1:]


def reach_head(analysis: Analysis) -> Head:
    """Return the verdict on a key policy by itself."""
    ways = [way for way in analysis.ways if way.witness]
    who = len({name for way in ways for name in way.principals})
    named = f"{who} {'principal' if who == 1 else 'principals'} by {len(ways)} statement"
    what = f"Key policy · {named}{'' if len(ways) == 1 else 's'} can get the plaintext"
    first = next(iter(analysis.findings), None)
    then = sentence(first.fix) if first else ""
    verdict, tone, why = _REACH[analysis.without_attestation]
    return Head(what, verdict, tone, why, then)


_REACH: Mapping[str, tuple[str, Tone, str]] = {
    "none": ("No way to the plaintext without attestation", "good",
             "Every kind of request was looked at."),
    "path": ("There is a way to the plaintext without attestation", "bad",
             "A request without a document is allowed: see the witness."),
    "unknown": ("Not proved whether there is a way without attestation", "warning",
                "A condition of the policy is outside what can be proved."),
}  # fmt: skip


def way_lines(analysis: Analysis) -> tuple[WayLine, ...]:
    """Return who can decrypt, who can make data keys, and who can change that."""
    return tuple(
        _way(what, way)
        for what, ways in (
            ("can get the plaintext", analysis.ways),
            ("can change that", analysis.changers),
            ("can make data keys", analysis.data_keys),
        )
        for way in ways
    )


def _way(what: str, way: Way) -> WayLine:
    plain = "with a document of the right PCRs" if way.attested else "without a document"
    how = plain if way.witness else way.effect
    tone: Tone = "neutral" if not way.witness else "good" if way.attested else "warning"
    iam = " (through IAM policies)" if way.delegates else ""
    conditions = tuple(f"{c.operator} {c.key}: {' or '.join(c.values)}" for c in way.conditions)
    return WayLine(what, way.action, way.principals, how + iam, way.source, tone, conditions)


def finding_lines(analysis: Analysis) -> tuple[FindingLine, ...]:
    """Return what to mend, the worst first."""
    return tuple(_findings(analysis))


def _findings(analysis: Analysis) -> Iterator[FindingLine]:
    for one in analysis.findings:
        place = one.statement.label if one.statement else "the policy"
        yield FindingLine(one.severity, one.title, one.detail, one.fix, place)
