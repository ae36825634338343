"""The one table of the workflow: 8 steps of preparation, 9 of attestation and decryption."""

from __future__ import annotations

from typing import Final

from nitro_workflow.errors import UsageError
from nitro_workflow.lab.steps.d3_d9_decryption import DECRYPTION
from nitro_workflow.lab.steps.p_table import PREPARATION
from nitro_workflow.lab.steps.step import Step

__all__ = ["STEPS", "all_needs", "find_step"]

STEPS: Final[tuple[Step, ...]] = (*PREPARATION, *DECRYPTION)


def find_step(number: str) -> Step:
    """Return the step of that number; raises `UsageError` for another text."""
    for step in STEPS:
        if step.number == number.upper():
            return step
    raise UsageError(
        f"no step {number!r}",
        expected=", ".join(step.number for step in STEPS),
        where="step",
        next="name one of the 17",
    )


def all_needs(step: Step) -> list[Step]:
    """Return every step that this one rests on, in the table's order."""
    wanted: set[str] = set()
    waiting = list(step.needs)
    while waiting:
        number = waiting.pop()
        if number not in wanted:
            wanted.add(number)
            waiting += find_step(number).needs
    return [one for one in STEPS if one.number in wanted]
