"""The drop zone as text: how one inspects without it."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import head_lines
from nitro_workflow.widgets.inspectors.drop_model import DropModel

__all__ = ["draw_text"]


def draw_text(model: DropModel) -> Iterator[str]:
    """Yield the head."""
    yield from head_lines(model.head)
