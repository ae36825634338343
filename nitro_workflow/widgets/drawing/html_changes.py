"""Lines of a difference as HTML: signs, and colours where a viewer keeps them."""

from __future__ import annotations

from collections.abc import Iterable

from nitro_workflow.widgets.drawing.markup import Kid, Markup, tag

__all__ = ["diff_html"]

# `ins` and `del`: underlined and struck out where a viewer drops every style.
_TAGS = {"+": ("ins", "ins"), "-": ("del", "del")}


def diff_html(lines: Iterable[tuple[str, int]]) -> Markup:
    """Return lines with their sign in front, each with the first character that differs, or -1."""
    return tag("pre", *(_line(text, place) for text, place in lines), class_="diff", tabindex=0)


def _line(line: str, place: int) -> Markup:
    name, kind = _TAGS.get(line[:1], ("span", "ctx"))
    if place < 0:
        return tag(name, f"{line}\n", class_=kind)
    here = line[place : place + 1] or " "
    mark: Kid = tag("mark", tag("b", here), title="the first difference")
    return tag(name, line[:place], mark, f"{line[place + 1 :]}\n", class_=kind)
