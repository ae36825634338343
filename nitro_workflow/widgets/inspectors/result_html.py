"""The opened result as HTML without script: bars for each measure, and a table."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Kid,
    Markup,
    card,
    chip,
    drawn_text,
    fold,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.inspectors.result_model import Measure, ResultModel

__all__ = ["draw_html"]

ROW, LEFT, WIDE = 26, 144, 528


def draw_html(model: ResultModel) -> Markup:
    """Return the card."""
    first = model.measures[0] if model.measures else None
    others = model.measures[1:]
    charts = [_chart(model, first)] if first else []
    more = [fold(f"By {m.name}", _chart(model, m)) for m in others]
    left_out = f"{model.left_out:,} more groups are not drawn." if model.left_out else None
    return card(
        model.head,
        section(f"By {first.name}", *charts, *more) if first else None,
        section(
            "The same in numbers",
            tag("div", _table(model), class_="numbers"),
            tag("p", model.note, class_="note") if model.note else None,
            tag("p", left_out, class_="note") if left_out else None,
        ),
        label="Result",
    )


def _chart(model: ResultModel, measure: Measure) -> Markup:
    """Return horizontal bars; the suppressed are hatched, of no length that says anything."""
    kids: list[Kid] = []
    for at, bar in enumerate(measure.bars):
        y = at * ROW
        width = round(bar.share * WIDE, 1)
        kids += [
            drawn_text(bar.group[:16], x=LEFT - 8, y=y + 17, class_="who"),
            tag("rect", x=LEFT, y=y + 4, width=max(width, 1), height=17, rx=3, class_="bar"),
            drawn_text(bar.text, x=LEFT + width + 8, y=y + 17, class_="val"),
        ]
    height = len(measure.bars) * ROW
    if model.suppressed:
        kids += [
            drawn_text("suppressed", x=LEFT - 8, y=height + 17, class_="who"),
            tag("rect", x=LEFT, y=height + 4, width=60, height=17, rx=3, class_="gone"),
            tag(
                "text",
                f"not told: {model.unsaid}",
                x=LEFT + 68,
                y=height + 17,
                class_="val",
            ),
        ]
        height += ROW
    label = f"Bars of {measure.name}; the table below has the numbers"
    return tag(
        "svg",
        *kids,
        class_="bars",
        viewBox=f"0 0 {LEFT + WIDE + 140} {height}",
        role="img",
        aria_label=label,
    )


def _table(model: ResultModel) -> Markup:
    lines: list[list[Kid]] = [
        [group, *(measure.bars[at].text for measure in model.measures)]
        for at, group in enumerate(model.groups)
    ]
    if model.suppressed:
        lines.append(
            [chip("neutral", f"suppressed: {model.unsaid}"), *("not told" for _ in model.measures)]
        )
    return rows(("group", *(m.name for m in model.measures)), lines, label="Groups")
