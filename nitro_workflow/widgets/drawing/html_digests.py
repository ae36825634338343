"""A digest as HTML: its picture, and groups of eight digits that never break inside."""

from __future__ import annotations

from nitro_workflow.widgets.drawing.digests import GROUP, Digest, Picture, groups_of
from nitro_workflow.widgets.drawing.markup import Markup, joined, tag

__all__ = ["digest_html", "picture_svg"]

_SIDE = 8
_NARROW = GROUP  # digits before which a first difference is named beside a cut digest


def digest_html(digest: Digest, *, groups: int = 0, picture: bool = True) -> Markup:
    """Return a digest in words or in groups; ``groups`` cuts it, and 0 shows it whole.

    The first digit that differs is marked, bold and underlined; what follows is not. A cut digest
    still shows the group that differs.
    """
    drawn = picture_svg(digest.picture) if picture else None
    if digest.zero and digest.hex:
        words = f"all zero, {len(digest.hex) // 2} bytes"
        return tag("span", drawn, tag("span", words, class_="zero"), class_="digest")
    return tag("span", drawn, tag("code", _groups(digest, groups), class_="hx"), class_="digest")


def _groups(digest: Digest, count: int) -> Markup:
    parts: list[Markup] = []
    whole = groups_of(digest.hex)
    place = digest.difference // GROUP if digest.difference >= 0 else -1
    shown = whole if not count else whole[:count]
    for index, group in enumerate(shown):
        parts.append(_group(group, digest.difference % GROUP if index == place else -1))
    if len(shown) < len(whole):
        parts.append(Markup("…"))
        if place >= len(shown):
            parts += [_group(whole[place], digest.difference % GROUP), Markup("…")]
    return Markup(" ".join(parts))


def _group(group: str, difference: int) -> Markup:
    if difference < 0:
        return joined((group,))
    other = tag("mark", tag("b", group[difference : difference + 1]))
    return joined((group[:difference], other, group[difference + 1 :]))


def picture_svg(picture: Picture | None, *, side: int = 44) -> Markup:
    """Return the picture of a digest, 8 × 8 cells; an empty dashed square stands for all zero."""
    label = "all zero" if picture is None else "picture of the digest"
    inner = _dashed() if picture is None else _cells(picture)
    return tag(
        "svg", inner, class_="pic", width=side, height=side, viewBox=f"0 0 {_SIDE} {_SIDE}",
        role="img", aria_label=label, shape_rendering="crispEdges" if picture else None,
    )  # fmt: skip


def _dashed() -> Markup:
    return tag(
        "rect", x=".3", y=".3", width="7.4", height="7.4", rx="1", fill="none",
        stroke="currentColor", stroke_width=".2", stroke_dasharray=".6 .5", opacity=".6",
    )  # fmt: skip


def _cells(picture: Picture) -> Markup:
    first, second = picture.hues
    fills = (f"hsl({first} 40% 88%)", f"hsl({first} 60% 30%)", f"hsl({first} 55% 48%)",
             f"hsl({second} 60% 60%)")  # fmt: skip
    paths = [tag("rect", width=_SIDE, height=_SIDE, fill=fills[0])]
    for tone, fill in enumerate(fills):
        at = [divmod(i, _SIDE // 2) for i, cell in enumerate(picture.cells) if cell == str(tone)]
        whole = [(x, y) for y, half in at for x in (half, _SIDE - 1 - half)]
        if tone and whole:
            d = "".join(f"M{x} {y}h1v1h-1z" for x, y in whole)
            paths.append(tag("path", fill=fill, d=d))
    return joined(paths)
