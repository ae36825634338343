"""How much one analysis may do: counted in steps, so that the same policy has the same answer."""

from __future__ import annotations

__all__ = ["STEPS", "Budget", "OutOfBudget"]

STEPS = 3_000_000  # about three seconds of one processor of 2024


class OutOfBudget(Exception):
    """The steps are used up: what was not looked at is not known."""


class Budget:
    """Counts steps down; one step is about a microsecond."""

    __slots__ = ("left", "steps")

    def __init__(self, steps: int = STEPS) -> None:
        self.steps = self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps; raises `OutOfBudget` where none are left."""
        self.left -= steps
        if self.left < 0:
            raise OutOfBudget

    @property
    def reason(self) -> str:
        """What an answer says that was not reached."""
        return f"the search was stopped after its budget of {self.steps:,} steps"
