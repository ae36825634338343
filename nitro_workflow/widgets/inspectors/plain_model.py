"""A card that asks nothing back: a head, facts, a table, a longer text behind a fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing import Head, Tone

__all__ = ["Fact", "PlainModel"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A name with its value; ``tone`` says whether it is a verdict of its own."""

    name: str
    value: str
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class PlainModel:
    """What a lesson says in one card. ``columns`` names those of ``rows``; ``detail`` is folded."""

    head: Head
    facts: tuple[Fact, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    detail: str = ""
    kind: Literal["plain"] = "plain"
