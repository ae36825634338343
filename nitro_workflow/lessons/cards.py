"""A step's result, an attack's outcome, the table of steps: what a lesson shows of the lab."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nitro_workflow.lab.refusals import AttackOutcome
from nitro_workflow.lab.steps import STEPS, StepResult
from nitro_workflow.widgets import Cell, Check, Inspection, Row, Table
from nitro_workflow.widgets.formats import duration, short, size
from nitro_workflow.widgets.model import Tone

__all__ = ["attack_card", "step_card", "step_table"]

# What has a view of its own in the lessons, and is left out of the card.
_OWN_VIEW = frozenset({"policy", "bucket_policy", "difference", "explanation", "rows", "files"})
_OUTCOMES = {
    "refused": "the answer was no",
    "useless": "answered, for a key that the attacker does not have",
    "detected": "the owner notices before he believes anything",
}


def step_card(result: StepResult) -> Table:
    """Return the evidence of one step, one fact a row, and what it had to catch up on."""
    rows = [Row(label, (Cell(text),)) for label, text in _facts(result.evidence)]
    rows += [Row("note", (Cell(note),), "warning") for note in result.notes]
    if result.caught_up:
        rows.append(Row("ran first", (Cell(", ".join(result.caught_up)),), "warning"))
    took = f"done in {duration(result.seconds)}"
    return Table(f"{result.step} {result.title}, by the {result.party}", ("evidence",), tuple(rows),
                 took, "good")  # fmt: skip


def _facts(evidence: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in evidence.items():
        if key in _OWN_VIEW:
            continue
        label = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping) and _worth_opening(value):
            yield from _facts(value, f"{label}: ")
        elif value not in (None, "", [], {}):
            yield _shown(key, label, value)


def _worth_opening(value: Mapping[str, Any]) -> bool:
    return len(value) > 3 or any(isinstance(item, Mapping) for item in value.values())


def _shown(key: str, label: str, value: Any) -> tuple[str, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (key == "bytes" or key.endswith("_bytes")):
        return label.removesuffix(" bytes"), size(int(value))
    if number and key.endswith("_ms"):
        return label.removesuffix(" ms"), f"{round(value):,} ms"
    if number and key.endswith("seconds"):
        return label.removesuffix(" seconds"), duration(value)
    return label, short(value)


def attack_card(outcome: AttackOutcome) -> Inspection:
    """Return how an attack ended: its one word, who stopped it, why, and what to do next."""
    checks = [
        Check("by", "stopped by", "good", outcome.by),
        Check("code", "answer", "neutral", outcome.code),
        Check("reason", "reason", "neutral", outcome.reason),
        Check("next", "next", "neutral", outcome.next),
    ]
    return Inspection(
        title=f"{outcome.title} (the {outcome.party} tries)",
        verdict=f"{outcome.outcome}: {_OUTCOMES[outcome.outcome]}",
        tone="good",
        trust=outcome.explanation,
        checks=tuple(check for check in checks if check.outcome),
    )


def step_table(done: Sequence[str], here: Iterable[str] = ()) -> Table:
    """Return the 17 steps; ``done`` have a record, ``here`` belong to the lesson that is open."""
    lesson = set(here)
    rows = []
    for step in STEPS:
        state = "done" if step.number in done else "to do"
        mark = "  ◀ this lesson" if step.number in lesson else ""
        tone: Tone = "good" if step.number in done else "neutral"
        rows.append(
            Row(step.number, (Cell(step.party), Cell(step.title), Cell(state + mark)), tone)
        )
    return Table("The 17 steps", ("party", "what happens", "state"), tuple(rows))
