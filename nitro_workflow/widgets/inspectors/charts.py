"""A chart as shapes: laid out once, in Python, and drawn alike in a page and in a live form."""

from __future__ import annotations

from dataclasses import dataclass

from nitro_workflow.widgets.drawing import Markup, drawn_text, tag

__all__ = ["Chart", "Shape", "box", "bracket", "chart_html", "fits", "label", "line"]

_ROUND = 6
_LETTER, _NARROW_LETTER = 7.2, 9.6  # units a letter of a label: 12 px, and 16 in a narrow cell


@dataclass(frozen=True, slots=True)
class Shape:
    """One element of an SVG: its name, its attributes, its text; ``pick`` is what a click means."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    text: str = ""
    pick: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Shapes on a ground of ``width`` × ``height``; ``label`` says in words what they show."""

    width: int
    height: int
    label: str
    shapes: tuple[Shape, ...] = ()


def _shape(name: str, text: str = "", pick: str = "", **attributes: str | float) -> Shape:
    pairs = tuple((key.rstrip("_").replace("_", "-"), _number(v)) for key, v in attributes.items())
    return Shape(name, pairs, text, pick)


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    tint: int,
    pick: str = "",
    dashed: bool = False,
) -> Shape:
    """Return a rounded box in one of the six tints of fields."""
    return _shape(
        "rect", pick=pick, x=x, y=y, width=max(width, 0.5), height=height,
        rx=min(_ROUND, width / 4), class_=f"tint f{tint}{' dashed' if dashed else ''}",
    )  # fmt: skip


def label(x: float, y: float, text: str, *, kind: str = "", anchor: str = "middle") -> Shape:
    """Return a text; ``kind`` is ``strong``, ``small``, ``pcr`` or plain."""
    return _shape("text", text, x=x, y=y, text_anchor=anchor, class_=kind or "plain")


def fits(text: str, width: float) -> str | None:
    """Return the class that a label needs there: "", or "wide" where only a wide cell has room.

    None where it has no room at all.
    """
    if len(text) * _NARROW_LETTER < width:
        return ""
    return "wide" if len(text) * _LETTER < width else None


def line(d: str, kind: str = "edge") -> Shape:
    """Return a stroke, from an SVG path of ours."""
    return _shape("path", d=d, class_=kind)


def bracket(left: float, right: float, y: float, text: str) -> tuple[Shape, Shape]:
    """Return a bracket below what is measured together, with the PCR under it."""
    stroke = line(f"M{left:.1f} {y}v6H{right:.1f}v-6", "bracket")
    return stroke, label((left + right) / 2, y + 20, text, kind="pcr")


def chart_html(chart: Chart) -> Markup:
    """Return the chart as SVG without script; its facts stand in words beside it."""
    shapes = map(_drawn, chart.shapes)
    return tag("svg", *shapes, class_="chart", role="img", aria_label=chart.label,
               viewBox=f"0 0 {chart.width} {chart.height}")  # fmt: skip


def _drawn(shape: Shape) -> Markup:
    if shape.tag == "text":
        return drawn_text(shape.text, **_attributes(shape))
    return tag(shape.tag, shape.text, **_attributes(shape))


def _attributes(shape: Shape) -> dict[str, str]:
    return {name.replace("-", "_") + "_": value for name, value in shape.attributes}
