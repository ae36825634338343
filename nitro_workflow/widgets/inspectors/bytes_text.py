"""Bytes as text: a dump of their beginning."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import dump_lines, head_lines, indented
from nitro_workflow.widgets.inspectors.bytes_model import BytesModel

__all__ = ["DUMPED", "draw_text"]

DUMPED = 256
"""Bytes that the static forms show."""


def draw_text(model: BytesModel) -> Iterator[str]:
    """Yield the head, the guesses, and the first bytes."""
    yield from head_lines(model.head)
    yield from indented(model.guesses[1:])
    yield from indented(dump_lines(model.data[:DUMPED]))
    if model.size > DUMPED:
        yield f"  … {model.size - DUMPED:,} more"
