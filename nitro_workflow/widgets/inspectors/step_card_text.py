"""A step's card as text: its facts, then each call in every form."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, digest_lines, fact_lines, head_lines, indented
from nitro_workflow.widgets.inspectors.step_card_model import Exchange, StepModel

__all__ = ["NO_CALL", "draw_text", "folded_calls"]

NO_CALL = "No call left this party: all of it happened inside."


def draw_text(model: StepModel) -> Iterator[str]:
    """Yield the head, the evidence, the calls, and where the code is."""
    yield from head_lines(model.head)
    digests = [(tile.label, "\n".join(digest_lines(tile.digest))) for tile in model.tiles]
    notes = [("note", note) for note in model.notes]
    yield from fact_lines([*digests, *model.facts, ("known from", model.basis), *notes])
    if not model.exchanges:
        yield f"  {NO_CALL}"
    for title, exchange in folded_calls(model):
        yield f"  {MARKS[exchange.tone]} {title}: {exchange.said}"
        yield f"    {exchange.source}" if exchange.source else ""
        for tab in exchange.tabs:
            yield f"    {tab.name}"
            yield from indented(tab.text.splitlines(), " " * 6)
    yield from fact_lines([("code", f"{file}, {name}") for file, name in model.code])
    yield from fact_lines([("open", f"{name}: {what}") for name, what in model.openable])


def folded_calls(model: StepModel) -> Iterator[tuple[str, Exchange]]:
    """Yield each exchange once, with how often it was made alike."""
    at = 0
    while at < len(model.exchanges):
        one = model.exchanges[at]
        alike = 1
        while at + alike < len(model.exchanges) and _alike(model.exchanges[at + alike], one):
            alike += 1
        yield f"{one.title} ×{alike}" if alike > 1 else one.title, one
        at += alike


def _alike(one: Exchange, other: Exchange) -> bool:
    return (one.title, one.tone, one.tabs) == (other.title, other.tone, other.tabs)
