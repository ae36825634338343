"""Small pieces of HTML: marks, chips, code, tables, a bar to scale."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nitro_workflow.widgets.drawing.markup import Kid, Markup, joined, tag
from nitro_workflow.widgets.drawing.verdicts import MARKS, WORDS, Tone

__all__ = ["chip", "code", "facts", "mark", "rows", "scale_bar"]

# Where a long name may go on in the next line: after these, and never inside an account number.
_PLACES = re.compile(r"(?<=[:/@,|])(?=\S)")
_BREAK = Markup("<wbr>")


def mark(tone: Tone, text: str | None = None) -> Markup:
    """Return a verdict's sign with its word: never a colour, never a sign alone."""
    said = WORDS[tone] if text is None else text
    return tag("span", tag("b", MARKS[tone], class_="sign"), " ", said, class_=f"t-{tone}")


def chip(tone: Tone, *kids: Kid) -> Markup:
    """Return a short remark in a rounded frame, with its sign."""
    return tag("span", tag("b", MARKS[tone], class_="sign"), " ", *kids, class_=f"chip {tone}")


def code(text: str) -> Markup:
    """Return a name or value in the code font; a long one breaks after ``:`` and ``/`` only."""
    parts: list[Kid] = []
    for part in _PLACES.split(text):
        parts += [_BREAK, part] if parts else [part]
    return tag("code", *parts)


def rows(columns: Sequence[str], lines: Iterable[Sequence[Kid]], *, label: str = "") -> Markup:
    """Return a table; the first cell of each line is its head."""
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = [
        tag("tr", *(tag("td" if at else "th", kid, scope=None if at else "row")
                    for at, kid in enumerate(line)))
        for line in lines
    ]  # fmt: skip
    top = tag("thead", head) if any(columns) else None
    return tag("table", top, tag("tbody", *body), aria_label=label or None)


def facts(pairs: Iterable[tuple[str, Kid]], *, label: str = "") -> Markup:
    """Return names with their values, as a table of two columns; empty values are left out."""
    lines = [
        tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in pairs if value
    ]
    return tag("table", tag("tbody", *lines), class_="facts", aria_label=label or None)


def scale_bar(parts: Sequence[tuple[str, int, int]], *, label: str) -> Markup:
    """Return parts of a whole, to scale: (name, size, number of its tint 1 to 6).

    The names and sizes are in the picture only: say them in a table or tree beside it.
    """
    total, at, drawn = sum(size for _, size, _ in parts) or 1, 0.0, []
    for name, size, tint in parts:
        width = 100 * size / total
        title = tag("title", f"{name}, {size:,} bytes")
        x, wide, fill = f"{at:.3f}", f"{width:.3f}", f"var(--nw-f{tint})"
        drawn.append(tag("rect", title, x=x, width=wide, height=8, fill=fill))
        at += width
    return tag("svg", joined(drawn), class_="scale", viewBox="0 0 100 8", role="img",
               preserveAspectRatio="none", aria_label=label)  # fmt: skip
