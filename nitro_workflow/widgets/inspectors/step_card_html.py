"""A step's card as HTML without script: the strip of the 17, evidence, every form of every call."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Kid,
    Markup,
    card,
    chip,
    code,
    digest_html,
    facts,
    fold,
    mark,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.inspectors.step_card_model import Exchange, StepModel, Tile
from nitro_workflow.widgets.inspectors.step_card_text import NO_CALL, folded_calls

__all__ = ["draw_html", "strip_html"]


def draw_html(model: StepModel) -> Markup:
    """Return the card."""
    calls = [_call(title, one) for title, one in folded_calls(model)]
    none = tag("p", NO_CALL, class_="note")
    return card(
        model.head,
        strip_html(model),
        section("Evidence", _tiles(model.tiles), facts(_facts(model)), _basis(model.basis)),
        section("The calls", *(calls or [none])),
        section("Where the code is", _code(model), quiet=True),
        _openable(model),
        label=f"Step {model.number}",
    )


def strip_html(model: StepModel) -> Markup:
    """Return the 17 steps as one line, also where styles are dropped: done, this one, to do."""
    marks = {"done": "✓", "here": "◀", "to do": "·"}
    parts = [
        tag(
            "span",
            tag("b", one.number),
            f" {marks[one.state]}",
            class_=one.state.replace(" ", "-"),
            title=one.state,
            role="listitem",
            aria_current="step" if one.state == "here" else None,
        )
        for one in model.strip
    ]
    apart = [kid for part in parts for kid in (part, " ")]
    return tag("p", *apart, class_="walked", role="list", aria_label="The 17 steps")


def _tiles(tiles: tuple[Tile, ...]) -> Kid:
    if not tiles:
        return None
    return tag(
        "div",
        *(
            tag("div", tag("b", tile.label), " ", digest_html(tile.digest), class_="tile")
            for tile in tiles
        ),
        class_="tiles",
    )


def _facts(model: StepModel) -> list[tuple[str, Kid]]:
    pairs: list[tuple[str, Kid]] = [(label, code(value)) for label, value in model.facts]
    return pairs + [("note", mark("warning", note)) for note in model.notes]


def _basis(basis: str) -> Kid:
    return tag("p", chip("neutral", basis), class_="basis") if basis else None


def _call(title: str, exchange: Exchange) -> Markup:
    tabs: list[Kid] = []
    for tab in exchange.tabs:
        tabs += [tag("p", tag("b", tab.name), class_="note"), tag("pre", tab.text)]
    summary = tag("span", mark(exchange.tone, title), ": ", exchange.said)
    source = tag("p", exchange.source, class_="note") if exchange.source else None
    return fold(summary, source, *tabs)


def _code(model: StepModel) -> Markup:
    return rows(("file", "function"), [[code(file), code(name)] for file, name in model.code])


def _openable(model: StepModel) -> Kid:
    if not model.openable:
        return None
    return section(
        "Open the bytes", facts([(f'lesson.open("{name}")', what) for name, what in model.openable])
    )
