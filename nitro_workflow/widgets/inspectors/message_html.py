"""An Encryption SDK message as HTML without script."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Kid,
    Markup,
    card,
    code,
    dump_lines,
    fold,
    mark,
    rows,
    scale_bar,
    section,
    tag,
)
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.byte_ranges import ranges_html
from nitro_workflow.widgets.inspectors.message_model import MessageModel, merged

__all__ = ["draw_html"]

DUMPED = 256


def draw_html(model: MessageModel) -> Markup:
    """Return the card."""
    dump = tag("pre", "\n".join(dump_lines(model.data[:DUMPED])))
    return card(
        model.head,
        section("The message, to scale", *_scale(model)) if model.parts else None,
        section("Which key opens it", _keys(model)) if model.keys else None,
        section("Encryption context", _context(model)) if model.context else None,
        section("Fields", ranges_html(model.nodes)) if model.nodes else None,
        section("Bytes", fold(f"The first {bytes_of(min(model.total, DUMPED))}", dump)),
        label="Encryption SDK message",
    )


def _scale(model: MessageModel) -> list[Kid]:
    bar = scale_bar([(p.name, p.size, p.tint) for p in model.parts], label="Parts, to scale")
    lines: list[list[Kid]] = [[name, said] for name, said in merged(model.parts)]
    said = tag("p", model.frames, class_="note") if model.frames else None
    inner = scale_bar(
        [(p.name, p.size, p.tint) for p in model.header_parts],
        label="The header's fields, to scale",
    )
    enlarged = tag("p", f"The header's fields, enlarged ×{model.enlarged:,}:", class_="note")
    return [bar, said, enlarged, inner, fold("The sizes", rows(("part", "size"), lines))]


def _keys(model: MessageModel) -> Markup:
    lines: list[list[Kid]] = [
        [code(key.provider), code(key.name), bytes_of(key.size), key.opens] for key in model.keys
    ]
    return rows(("provider", "key", "size", "who opens it"), lines, label="Encrypted data keys")


def _context(model: MessageModel) -> Markup:
    lines: list[list[Kid]] = [
        [code(p.name), code(p.found or "—"), code(p.expected or "—"), mark(p.tone, p.said)]
        for p in model.context
    ]
    return rows(
        ("name", "in the message", "policy asks for", ""), lines, label="Encryption context"
    )
