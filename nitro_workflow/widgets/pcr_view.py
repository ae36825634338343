"""PCRs side by side: what the document says, what the image measures to, what the policy asks."""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.policy import FEEDS
from nitro_workflow.widgets.view_model import (
    Cell,
    Table,
    TableRow,
    Tone,
)

__all__ = ["pcr_table"]

ZERO = "0" * 96


def pcr_table(columns: Mapping[str, Mapping[int, str]], *, title: str = "PCRs") -> Table:
    """Return the table of PCRs, the first column being what the others are compared with.

    ``columns`` maps a heading to index → 96 lower-case hex digits. A column that lacks an index
    says nothing of it; a row agrees when all that speak of it agree.
    """
    indices = sorted({index for column in columns.values() for index in column} & set(FEEDS))
    rows = tuple(_row(index, list(columns.values())) for index in indices)
    compared = [row for row in rows if row.tone != "neutral"]
    good = all(row.tone == "good" for row in compared)
    verdict = "all that are compared agree" if good else "they do not agree"
    return Table(
        title=title,
        columns=tuple(columns),
        rows=rows,
        verdict=verdict if compared else "",
        tone=("good" if good else "bad") if compared else "neutral",
    )


def _row(index: int, columns: list[Mapping[int, str]]) -> TableRow:
    values = [_digits(column.get(index)) for column in columns]
    said = [value for value in values if value]
    agree = len(set(said)) == 1
    tone: Tone = "neutral" if len(said) < 2 else "good" if agree else "bad"
    cells = tuple(_cell(value, said[0] if said else "") for value in values)
    note = FEEDS[index] + ("; all zero" if said and said[0] == ZERO else "")
    return TableRow(f"PCR{index}", cells, tone, note)


def _digits(value: object) -> str:
    """Return a PCR as it is compared: in small letters, bytes as hex digits."""
    if value is None:
        return ""
    return value.hex() if isinstance(value, bytes) else str(value).strip().lower()


def _cell(value: str, first: str) -> Cell:
    if not value:
        return Cell("—")
    if value == first:
        return Cell(value)
    return Cell(value, "bad", _first_difference(value, first))


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
