"""An attack's outcome, and what starting over removes: what a lesson shows of the lab."""

from __future__ import annotations

from nitro_workflow.lab import AttackOutcome
from nitro_workflow.widgets import Fact, Head, PlainModel, sentence

__all__ = ["attack_card", "reset_card"]

_OUTCOMES = {
    "refused": "the answer was no",
    "useless": "answered, for a key that the attacker does not have",
    "detected": "the owner notices before they believe anything",
}


def attack_card(outcome: AttackOutcome) -> PlainModel:
    """Return how an attack ended: its one word, who stopped it, why, and what to do next."""
    told = f"{outcome.code}: {outcome.reason}" if outcome.code else outcome.reason
    return PlainModel(
        Head(
            what=f"{outcome.title} · tried by {outcome.party}",
            verdict=f"{outcome.outcome.capitalize()}: {_OUTCOMES[outcome.outcome]}",
            tone="good",
            why=sentence(outcome.why),
            next=sentence(outcome.next),
        ),
        facts=(Fact("stopped by", outcome.by, "good"), Fact("the attacker is told", told)),
        detail=outcome.explanation,
    )


def reset_card(title: str, what: str, then: str) -> PlainModel:
    """Return what starting over removes, and what to do next."""
    return PlainModel(Head("This lab", title, "warning", next=then), (Fact("removes", what),))
