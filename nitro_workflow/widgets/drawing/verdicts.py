"""The head of an inspector: what it is, one verdict, why, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["MARKS", "WORDS", "Head", "Model", "Tone"]

Tone = Literal["good", "bad", "neutral", "warning"]

MARKS: dict[Tone, str] = {"good": "✓", "bad": "✗", "warning": "!", "neutral": "–"}
WORDS: dict[Tone, str] = {
    "good": "passed",
    "bad": "failed",
    "warning": "look",
    "neutral": "not asked",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What stands on top of each card, in this order.

    ``what`` names the thing and its size, ``verdict`` is one sentence, ``why`` its reason, and
    ``next`` what one does about it.
    """

    what: str
    verdict: str
    tone: Tone
    why: str = ""
    next: str = ""


class Model(Protocol):
    """What every view model has: its kind, which names its forms, and its head."""

    @property
    def kind(self) -> str:
        """The kind, one word."""

    @property
    def head(self) -> Head:
        """What it is, the verdict, why, next."""
