"""View models: what a person is to see, before it is drawn in any of the three ways.

A model is a frozen dataclass that turns into JSON; `text.py`, `html.py` and `static/inspector.js`
draw the same model. Everything in it may come from an attacker: drawing code escapes, never
interprets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing.verdicts import Tone

__all__ = [
    "Cell",
    "CheckLine",
    "Choice",
    "FieldNode",
    "Inspection",
    "Live",
    "Model",
    "Table",
    "TableRow",
    "Tone",
]

MARKS: dict[Tone, str] = {"good": "✓", "bad": "✗", "warning": "!", "neutral": "·"}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One numbered check and how it came out."""

    id: str
    title: str
    tone: Tone
    outcome: str
    found: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True)
class FieldNode:
    """One item of a byte string; ``start`` and ``end`` are offsets into the inspection's data."""

    label: str
    value: str
    start: int = 0
    end: int = 0
    note: str = ""
    children: tuple[FieldNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """A byte string with its verdict, its checks and its tree of items.

    ``data`` is drawn as hex in the live form only: static forms hold what stays the same.
    ``detail`` is a longer text, behind a fold where there is one.
    """

    title: str
    verdict: str
    tone: Tone
    trust: str = ""
    checks: tuple[CheckLine, ...] = ()
    nodes: tuple[FieldNode, ...] = ()
    data: bytes = b""
    detail: str = ""
    kind: Literal["inspection"] = "inspection"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table; ``difference`` is the first character that differs, or -1."""

    text: str
    tone: Tone = "neutral"
    difference: int = -1


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a table, with what it means in words."""

    label: str
    cells: tuple[Cell, ...]
    tone: Tone = "neutral"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Values side by side."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    verdict: str = ""
    tone: Tone = "neutral"
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with its options, none for a free text; ``answer`` is what was answered before."""

    text: str
    options: tuple[str, ...]
    answer: str = ""
    closed: bool = False
    kind: Literal["choice"] = "choice"


Model = Inspection | Table
Live = Model | Choice
