"""Several attacks, tried one after another, with their progress told below the cell."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import ATTACKS, AttackOutcome, Lab, try_attack
from nitro_workflow.lessons.progress_board import told_below_the_cell

__all__ = ["try_in_turn"]


def try_in_turn(lab: Lab, names: Sequence[str]) -> list[AttackOutcome]:
    """Try each attack for real; returns how each ended, in their order.

    Raises `UsageError` for a name that is not in the list, before any is tried.
    """
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        raise UsageError(
            f"no attack {unknown[0]!r}",
            expected=", ".join(ATTACKS),
            where="attacks",
            next="lesson.attacks() lists them",
        )
    outcomes = []
    with told_below_the_cell(lab):
        for place, name in enumerate(names, 1):
            lab.bench.say(f"attack {place} of {len(names)}: {ATTACKS[name].title}")
            outcomes.append(try_attack(lab, name))
    return outcomes
