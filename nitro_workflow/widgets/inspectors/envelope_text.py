"""A sealed key as text: which key opens it, then every field with its bytes."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import digest_lines, fact_lines, head_lines
from nitro_workflow.widgets.inspectors.byte_ranges import range_lines
from nitro_workflow.widgets.inspectors.envelope_model import EnvelopeModel

__all__ = ["draw_text"]


def draw_text(model: EnvelopeModel) -> Iterator[str]:
    """Yield the head, the facts, the fields."""
    yield from head_lines(model.head)
    key = "\n".join(digest_lines(model.key)) if model.key else ""
    yield from fact_lines([("opened by", model.opens), ("key", key), *model.facts])
    yield from range_lines(model.nodes)
