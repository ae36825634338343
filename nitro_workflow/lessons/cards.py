"""A step's result, an attack's outcome, the table of steps: what a lesson shows of the lab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nitro_workflow.lab import STEPS, AttackOutcome, StepResult, key_facts
from nitro_workflow.widgets import (
    Cell,
    CheckLine,
    Inspection,
    Table,
    TableRow,
    Tone,
    duration,
    short,
    size,
)

__all__ = ["attack_card", "reset_card", "step_card", "step_table"]

_OUTCOMES = {
    "refused": "the answer was no",
    "useless": "answered, for a key that the attacker does not have",
    "detected": "the owner notices before he believes anything",
}


def step_card(result: StepResult) -> Table:
    """Return the key facts of one step, and what it had to catch up on."""
    rows = [
        TableRow(*_fact(label, value)) for label, value in key_facts(result) if label != "groups"
    ]
    rows.append(TableRow("known from", (Cell(str(result.evidence["basis"])),)))
    rows += [TableRow("note", (Cell(note),), "warning") for note in result.notes]
    if result.caught_up:
        rows.append(TableRow("ran first", (Cell(", ".join(result.caught_up)),), "warning"))
    return Table(
        title=f"{result.step} {result.title} ({result.party})",
        columns=("evidence",),
        rows=tuple(rows),
        verdict=f"done in {duration(result.seconds)}",
        tone="good",
    )


def _fact(key: str, value: Any) -> tuple[str, tuple[Cell]]:
    label = key.replace("_", " ")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if label == "files":
        return label, (Cell(f"{value:,} files"),)
    if label == "same as inspected":
        return label, (Cell(f"{value} files of the ramdisk"),)
    if number and label.endswith(" bytes"):
        return label.removesuffix(" bytes"), (Cell(size(int(value))),)
    if number and label.endswith(" seconds"):
        return label.removesuffix(" seconds"), (Cell(duration(value)),)
    return label, (Cell(short(value)),)


def attack_card(outcome: AttackOutcome) -> Inspection:
    """Return how an attack ended: its one word, who stopped it, why, and what to do next."""
    told = f"{outcome.code}: {outcome.reason}" if outcome.code else outcome.reason
    checks = [
        CheckLine("party", "tried by", "neutral", outcome.party),
        CheckLine("by", "stopped by", "good", outcome.by),
        CheckLine("told", "what the attacker is told", "neutral", told),
        CheckLine("why", "why", "neutral", outcome.why),
        CheckLine("next", "next", "neutral", outcome.next),
    ]
    return Inspection(
        title=outcome.title,
        verdict=f"{outcome.outcome}: {_OUTCOMES[outcome.outcome]}",
        tone="good",
        checks=tuple(check for check in checks if check.outcome),
        detail=outcome.explanation,
    )


def reset_card(title: str, what: str, then: str) -> Table:
    """Return what starting over removes, and what to do next."""
    rows = (TableRow("removes", (Cell(what),)), TableRow("next", (Cell(then),)))
    return Table(title=title, columns=("start over",), rows=rows, tone="warning")


def step_table(done: Sequence[str], here: Iterable[str] = ()) -> Table:
    """Return the 17 steps; ``done`` have a record, ``here`` belong to the lesson that is open."""
    lesson = set(here)
    rows = []
    for step in STEPS:
        state = "done" if step.number in done else "to do"
        mark = "  ◀ this lesson" if step.number in lesson else ""
        tone: Tone = "good" if step.number in done else "neutral"
        rows.append(
            TableRow(step.number, (Cell(step.party), Cell(step.title), Cell(state + mark)), tone)
        )
    return Table("The 17 steps", ("party", "what happens", "state"), tuple(rows))
