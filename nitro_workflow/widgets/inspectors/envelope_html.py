"""A sealed key as HTML without script."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Markup,
    card,
    digest_html,
    dump_lines,
    facts,
    fold,
    scale_bar,
    section,
    tag,
)
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.byte_ranges import ByteRange, ranges_html
from nitro_workflow.widgets.inspectors.envelope_model import EnvelopeModel

__all__ = ["draw_html", "leaves"]

DUMPED = 512


def draw_html(model: EnvelopeModel) -> Markup:
    """Return the card."""
    key = digest_html(model.key) if model.key else None
    dump = tag("pre", "\n".join(dump_lines(model.data[:DUMPED])))
    return card(
        model.head,
        section(
            "Which key opens it", facts([("opened by", model.opens), ("key", key), *model.facts])
        ),
        section("Fields", _bar(model), ranges_html(model.nodes)) if model.nodes else None,
        section("Bytes", fold(f"The first {bytes_of(min(len(model.data), DUMPED))}", dump)),
        label="Sealed key",
    )


def leaves(nodes: tuple[ByteRange, ...]) -> list[ByteRange]:
    """Return the innermost fields, in order."""
    found: list[ByteRange] = []
    for node in nodes:
        found += leaves(node.children) if node.children else [node]
    return found


def _bar(model: EnvelopeModel) -> Markup:
    """Return the innermost fields to scale; what lies between them is encoding."""
    parts, at = [], 0
    for leaf in leaves(model.nodes):
        if leaf.start > at:
            parts.append(("encoding", leaf.start - at, 6))
        parts.append((leaf.label, leaf.end - leaf.start, int(leaf.tint[1:] or 6)))
        at = leaf.end
    return scale_bar(parts, label="Fields, to scale")
