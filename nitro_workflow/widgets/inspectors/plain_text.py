"""A plain card as text."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, fact_lines, head_lines, indented, table_lines
from nitro_workflow.widgets.inspectors.plain_model import Fact, PlainModel

__all__ = ["draw_text"]


def draw_text(model: PlainModel) -> Iterator[str]:
    """Yield the head, the facts, the table, then the longer text."""
    yield from head_lines(model.head)
    yield from fact_lines((fact.name, _value(fact)) for fact in model.facts)
    if model.rows:
        yield from table_lines(model.columns, model.rows)
    yield from indented(model.detail.splitlines(), "  | ")


def _value(fact: Fact) -> str:
    return f"{MARKS[fact.tone]} {fact.value}" if fact.tone else fact.value
