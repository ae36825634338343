"""Attacks and their outcomes, and what starting over removes: what a lesson shows of the lab."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nitro_workflow.lab import ATTACKS, AttackOutcome
from nitro_workflow.widgets import Fact, Head, PlainModel, sentence

__all__ = ["attack_card", "attack_list", "attack_table", "reset_card"]

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


def attack_list() -> PlainModel:
    """Return all attacks with what each does; neither who tries it nor how it ends."""
    return PlainModel(
        Head(f"The {len(ATTACKS)} attacks", "Looking at them tries nothing", "neutral"),
        columns=("name", "what somebody tries", "how"),
        rows=tuple((one.name, one.title, one.what) for one in ATTACKS.values()),
    )


def attack_table(outcomes: Sequence[AttackOutcome]) -> PlainModel:
    """Return how several attacks ended, a row each, those of one party together."""
    count = Counter(one.outcome for one in outcomes)
    told = ", ".join(f"{number} {outcome}" for outcome, number in count.items())
    parties = list(dict.fromkeys(one.party for one in outcomes))
    ordered = sorted(outcomes, key=lambda one: parties.index(one.party))
    return PlainModel(
        Head(f"Tried just now: {len(outcomes)}", told.capitalize(), "good"),
        columns=("outcome", "who", "tried", "stopped by", "why"),
        rows=tuple((one.outcome, one.party, one.title, one.by, _why(one)) for one in ordered),
    )


def _why(one: AttackOutcome) -> str:
    """Return the cloud's own record in a line; where it has none, what the attacker is told."""
    return one.why or next(iter(one.explanation.splitlines()), one.reason)


def reset_card(title: str, what: str, then: str) -> PlainModel:
    """Return what starting over removes, and what to do next."""
    return PlainModel(Head("This lab", title, "warning", next=then), (Fact("removes", what),))
