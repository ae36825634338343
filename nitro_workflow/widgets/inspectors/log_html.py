"""The cloud's records as HTML without script: one row a call, its reason folded out."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Kid,
    Markup,
    card,
    code,
    facts,
    fold,
    grouped,
    mark,
    picture_svg,
    rows,
    tag,
)
from nitro_workflow.widgets.inspectors.log_model import LogModel, LogRecord

__all__ = ["draw_html"]

_ROWS = 200  # records that the static form has; the live one has all


def draw_html(model: LogModel) -> Markup:
    """Return the whole card."""
    lines = (_line(one) for one in model.records[:_ROWS])
    head = ("when", "outcome", "what", "who", "on", "why")
    more = len(model.records) - _ROWS + model.left_out if len(model.records) > _ROWS else (
        model.left_out
    )  # fmt: skip
    table = tag("div", rows(head, lines, label="Records"), class_="part log")
    rest = tag("p", f"and {more:,} older records", class_="part note") if more else None
    return card(model.head, table, rest, label="Decision log")


def _line(one: LogRecord) -> tuple[Kid, ...]:
    picture = picture_svg(one.document.picture, side=18) if one.document else None
    what = tag("span", one.action, " ", picture)
    return one.at, mark(one.tone, one.outcome), what, code(one.who), code(one.brief), _why(one)


def _why(one: LogRecord) -> Kid:
    pcr0 = one.document.hex if one.document else ""
    more = facts(
        (
            ("AWS says", one.said),
            ("resource", code(one.resource)),
            ("PCR0 of its document", code(grouped(pcr0)) if pcr0 else None),
        )
    )
    return fold(one.why or ("what AWS says" if one.said else "no reason is told"), more)
