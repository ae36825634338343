"""A question as HTML: its options, no answer."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import Markup, tag
from nitro_workflow.widgets.inspectors.question_model import QuestionModel

__all__ = ["draw_html"]


def draw_html(model: QuestionModel) -> Markup:
    """Return the card: no head with a verdict, since nothing is decided yet."""
    options = (tag("p", f"○ {text}", class_="option") for text in model.options or ("…",))
    body = tag(
        "div",
        tag("p", model.head.what, class_="what"),
        tag("p", tag("b", model.head.verdict), class_="ask"),
        *options,
        class_="part",
    )
    return tag("section", tag("div", body, class_="card"), class_="nw", aria_label="Question")
