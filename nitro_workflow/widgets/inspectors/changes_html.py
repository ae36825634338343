"""How a text was changed, as HTML: its only form in a browser, since it asks nothing back."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import Kid, Markup, card, diff_html, section, tag
from nitro_workflow.widgets.inspectors.changes_model import ChangesModel
from nitro_workflow.widgets.inspectors.changes_text import legend, signed

__all__ = ["draw_html"]


def draw_html(model: ChangesModel) -> Markup:
    """Return the card."""
    if not model.lines:
        return card(model.head, label=model.head.what)
    lines = ((text, place) for text, place in map(signed, model.lines))
    words: Kid = tag("p", legend(model), class_="note")
    return card(model.head, section("Line by line", words, diff_html(lines)), label=model.head.what)
