"""Nested ranges of bytes: a tree of fields with where each stands, drawn as lists and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nitro_workflow.widgets.drawing import Markup, code, fold, tag

__all__ = ["ByteRange", "range_lines", "ranges_html"]


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One field: ``start`` and ``end`` are offsets into the whole, ``end`` exclusive.

    ``tint`` is the class of its ground, ``f1`` to ``f6``; ``open`` turns it open at first.
    """

    label: str
    value: str
    start: int
    end: int
    note: str = ""
    tint: str = ""
    open: bool = False
    children: tuple[ByteRange, ...] = ()


def range_lines(nodes: Sequence[ByteRange], depth: int = 1) -> Iterator[str]:
    """Yield a line a field: its bytes, its name, its value."""
    for node in nodes:
        note = f"  ({node.note})" if node.note else ""
        yield f"{'  ' * depth}{_place(node):>17}  {node.label}: {node.value}{note}"
        yield from range_lines(node.children, depth + 1)


def ranges_html(nodes: Sequence[ByteRange]) -> Markup:
    """Return the tree as nested lists; what has parts can be turned open."""
    return tag("ul", *(tag("li", _node(node)) for node in nodes), class_="ranges")


def _node(node: ByteRange) -> Markup:
    note = tag("span", f" {node.note}", class_="note") if node.note else None
    place = tag("span", f" {_place(node)}", class_="note")
    line = tag("span", tag("b", node.label), " ", code(node.value), place, note)
    return fold(line, ranges_html(node.children), opened=node.open) if node.children else line


def _place(node: ByteRange) -> str:
    return f"{node.start:,}–{node.end - 1:,}" if node.end > node.start else f"{node.start:,}, empty"
