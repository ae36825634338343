"""HTML that is safe by its type: a ``str`` is text and is escaped, `Markup` is markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["Kid", "Markup", "drawn_text", "joined", "tag"]


class Markup(str):
    """HTML that `tag` made. Nothing else makes it: text of a document stays text."""

    __slots__ = ()


Kid = str | None
_VOID = frozenset({"br", "hr", "input", "meta", "wbr"})
Attribute = str | int | float | bool | None


def tag(name: str, *kids: Kid, **attributes: Attribute) -> Markup:
    """Return one element; kids of plain ``str`` are escaped, None and empty ones left out.

    Attribute names lose a trailing ``_`` and write ``_`` as ``-``: ``class_``, ``aria_label``.
    True gives a bare attribute; None and False leave it out.
    """
    opening = f"<{name}{_attributes(attributes)}>"
    return Markup(opening if name in _VOID else f"{opening}{joined(kids)}</{name}>")


def drawn_text(text: str, **attributes: Attribute) -> Markup:
    """Return a text of an SVG picture, with "; " after it.

    Between elements of SVG no character is drawn: it parts the texts where a site strips SVG.
    """
    return joined((tag("text", text, **attributes), "; "))


def joined(kids: Iterable[Kid]) -> Markup:
    """Return kids one after another, escaped where they are text."""
    return Markup("".join(k if isinstance(k, Markup) else escape(k) for k in kids if k))


def _attributes(attributes: dict[str, Attribute]) -> str:
    out = ""
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        written = name.rstrip("_").replace("_", "-")
        out += f" {written}" if value is True else f' {written}="{escape(str(value))}"'
    return out
