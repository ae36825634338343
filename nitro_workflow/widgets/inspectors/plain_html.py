"""A plain card as HTML: its only form in a browser, since it asks nothing back."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import Kid, Markup, card, facts, fold, mark, rows, tag
from nitro_workflow.widgets.inspectors.plain_model import Fact, PlainModel

__all__ = ["draw_html"]


def draw_html(model: PlainModel) -> Markup:
    """Return the card."""
    return card(
        model.head,
        tag("div", facts(map(_fact, model.facts)), class_="part") if model.facts else None,
        _table(model),
        _detail(model.detail),
        label=model.head.verdict,
    )


def _fact(fact: Fact) -> tuple[str, Kid]:
    return fact.name, mark(fact.tone, fact.value) if fact.tone and fact.value else fact.value


def _table(model: PlainModel) -> Kid:
    if not model.rows:
        return None
    return tag("div", rows(model.columns, model.rows, label=model.head.verdict), class_="part")


def _detail(text: str) -> Kid:
    whole = fold("The whole explanation", tag("pre", text))
    return tag("div", whole, class_="part") if text else None
