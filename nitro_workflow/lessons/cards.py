"""An attack's outcome, and what starting over removes: what a lesson shows of the lab."""

from __future__ import annotations

from nitro_workflow.lab import AttackOutcome
from nitro_workflow.widgets import Cell, CheckLine, Inspection, Table, TableRow

__all__ = ["attack_card", "reset_card"]

_OUTCOMES = {
    "refused": "the answer was no",
    "useless": "answered, for a key that the attacker does not have",
    "detected": "the owner notices before he believes anything",
}


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
