"""The drop zone as HTML: without its script nothing can be dropped, and it says so."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import Markup, card, section
from nitro_workflow.widgets.inspectors.drop_model import DropModel

__all__ = ["draw_html"]


def draw_html(model: DropModel) -> Markup:
    """Return the card."""
    said = "This place takes files while its kernel runs: run the cell."
    return card(model.head, section(said), label="Inspect")
