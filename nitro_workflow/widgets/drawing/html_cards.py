"""The card of an inspector as HTML that reads well where a viewer drops every style."""

from __future__ import annotations

from nitro_workflow.widgets.drawing.markup import Kid, Markup, tag
from nitro_workflow.widgets.drawing.verdicts import MARKS, Head, Tone

__all__ = ["card", "fold", "section"]

_ICONS: dict[Tone, str] = {
    "good": "M5 12.5l4.5 4.5L19 7.5",
    "bad": "M6.5 6.5l11 11M17.5 6.5l-11 11",
    "warning": "M12 5v9M12 18.2v.1",
    "neutral": "M6 12h12",
}


def card(head: Head, *kids: Kid, label: str, aside: Kid = None) -> Markup:
    """Return a whole card: the head, then the kids; ``aside`` stands in the head, to the right."""
    return tag(
        "section",
        tag("div", _head(head, aside), *kids, class_="card"),
        class_="nw",
        aria_label=label,
    )


def _head(head: Head, aside: Kid) -> Markup:
    sign = tag("b", MARKS[head.tone], " ", class_="sign")
    words = tag(
        "div",
        tag("div", head.what, class_="what"),
        tag("p", sign, tag("b", head.verdict), class_="verdict", role="heading", aria_level=3),
        tag("p", head.why, class_="why") if head.why else None,
        tag("p", "Next: ", tag("b", head.next), class_="next") if head.next else None,
        class_="words",
    )
    return tag("div", _seal(head.tone), words, aside, class_=f"head {head.tone}")


def _seal(tone: Tone) -> Markup:
    icon = tag("svg", tag("path", d=_ICONS[tone]), class_="i", viewBox="0 0 24 24")
    return tag("span", icon, class_="seal", aria_hidden="true")


def section(title: str, *kids: Kid, quiet: bool = False) -> Markup:
    """Return a titled part of a card; ``quiet`` gives it the band's ground."""
    return tag("div", tag("p", tag("b", title), class_="title"), *kids,
               class_="part quiet" if quiet else "part")  # fmt: skip


def fold(summary: Kid, *kids: Kid, opened: bool = False) -> Markup:
    """Return what can be turned open: agreeing and long things are folded, others are not."""
    return tag("details", tag("summary", summary), *kids, open=opened)
