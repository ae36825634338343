"""PCRs side by side as lines: each distinct value once, whole, with its first difference."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, digest_lines, head_lines, indented, table_lines
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.inspectors.pcr_rows import PcrCell, PcrRow, listed
from nitro_workflow.widgets.inspectors.pcrs_model import PcrsModel

__all__ = ["draw_text"]


def draw_text(model: PcrsModel) -> Iterator[str]:
    """Yield the lines of the whole view."""
    first, *others = model.cases
    yield from head_lines(model.head)
    for row in first.rows:
        yield from _row(row)
    for case in others:
        yield f"  {case.label}"
        yield from indented(head_lines(case.head), "    ")
    yield "  What feeds each PCR"
    lines = ((part.name, size(part.size) if part.size >= 0 else "", "in the image" if part.inside
              else "outside", " ".join(part.pcrs)) for part in model.parts)  # fmt: skip
    yield from table_lines(("", "", "", ""), lines, "    ")
    if model.recipe:
        yield f"  Compute PCR0 yourself: {model.recipe_note}"
        yield from indented(model.recipe, "    ")


def _row(row: PcrRow) -> Iterator[str]:
    yield f"  {MARKS[row.tone]} {row.name} {row.state}: {row.feeds}"
    shown: set[str] = set()
    for cell in row.cells:
        yield from indented(_cell(cell, shown), "      ")


def _cell(cell: PcrCell, shown: set[str]) -> Iterator[str]:
    same = f"identical ×{cell.same}" if cell.same > 1 else ""
    words = ", ".join(filter(None, (same, f"to {cell.apart}" if cell.apart else "", cell.said)))
    yield f"{listed(cell.columns)}{': ' if words else ''}{words}"
    if cell.digest is not None and cell.digest.hex not in shown:
        shown.add(cell.digest.hex)
        yield from indented(digest_lines(cell.digest))
