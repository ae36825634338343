"""Bytes as HTML: a dump of their beginning."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import Markup, card, dump_lines, section, tag
from nitro_workflow.widgets.inspectors.bytes_model import BytesModel
from nitro_workflow.widgets.inspectors.bytes_text import DUMPED

__all__ = ["draw_html"]


def draw_html(model: BytesModel) -> Markup:
    """Return the card."""
    others = model.guesses[1:]  # the nearest is in the head
    guesses = tag("ul", *(tag("li", guess) for guess in others)) if others else None
    dump = tag("pre", "\n".join(dump_lines(model.data[:DUMPED])))
    more = f"{model.size - DUMPED:,} more follow." if model.size > DUMPED else None
    return card(
        model.head,
        section("It may be something else", guesses) if guesses else None,
        section("Its first bytes", dump, tag("p", more, class_="note") if more else None),
        label="Bytes",
    )
