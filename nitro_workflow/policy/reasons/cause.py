"""What a cause is."""

from __future__ import annotations

from dataclasses import dataclass

from nitro_workflow.policy.reasons.outcomes import StatementCheck

__all__ = ["Cause"]


@dataclass(frozen=True, slots=True)
class Cause:
    """``code`` is stable and for programs; ``text`` is one sentence; ``next_step`` is an order."""

    code: str
    text: str
    next_step: str = ""
    check: StatementCheck | None = None
