"""An Encryption SDK message as text: keys, context, then every field with its bytes."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, fact_lines, head_lines
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.byte_ranges import range_lines
from nitro_workflow.widgets.inspectors.message_model import MessageModel, merged

__all__ = ["draw_text"]


def draw_text(model: MessageModel) -> Iterator[str]:
    """Yield the head, the parts to scale in words, keys, context and fields."""
    yield from head_lines(model.head)
    yield from fact_lines([("frames", model.frames)])
    yield from fact_lines(merged(model.parts))
    for key in model.keys:
        yield f"  key of {key.provider}: {key.name}, {bytes_of(key.size)}: {key.opens}"
    for pair in model.context:
        wanted = f", the policy asks for {pair.expected!r}" if pair.expected else ""
        yield f"  {MARKS[pair.tone]} context {pair.name}: {pair.found!r}{wanted}: {pair.said}"
    yield from range_lines(model.nodes)
