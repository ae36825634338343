"""The map of an image file: to scale, and what is too small enlarged below with its factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nitro_workflow.widgets.formats import file_count
from nitro_workflow.widgets.inspectors.charts import Chart, Shape, box, fits, label, line

__all__ = ["Span", "file_chart", "tree_chart"]

_WIDE = 820
_BAR, _GAP, _STRIP = 34, 38, 44  # heights: the file, what joins, the enlarged strip
_SMALL = 24.0  # pixels below which a part is enlarged
_BRIEF = {
    "command line": "cmd",
    "boot ramdisk": "boot",
    "metadata": "meta",
    "application ramdisk": "app",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the file: byte range, tint, the PCRs it feeds."""

    id: str
    name: str
    start: int
    end: int
    tint: int
    pcrs: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


def file_chart(spans: Sequence[Span], total: int) -> tuple[Chart, str]:
    """Return the map, and in words what is enlarged."""
    scale = _WIDE / max(total, 1)
    runs = _runs(spans, scale)
    shapes = [
        shape
        for span in spans
        if span.size * scale >= _SMALL
        for shape in _labelled(span, span.start * scale, span.size * scale, 0, _BAR)
    ]
    said, at = [], 0.0
    weights = [max(len(run), 1) for run in runs]
    for run, weight in zip(runs, weights, strict=True):
        width = _WIDE * weight / sum(weights) - (8 if len(runs) > 1 else 0)
        drawn, words = _enlarged(run, at, width, scale)
        shapes += drawn
        said.append(words)
        at += width + 8
    height = _BAR + (_GAP + _STRIP + 26 if runs else 4)
    words = "; ".join(f"{span.name} {span.size:,} bytes" for span in spans)
    return Chart(_WIDE, height, f"The file to scale: {words}", tuple(shapes)), "; ".join(said)


def _runs(spans: Sequence[Span], scale: float) -> list[list[Span]]:
    """Return neighbours that are too small to be seen, together."""
    runs: list[list[Span]] = []
    small_before = False
    for span in spans:
        small = span.size * scale < _SMALL
        if small and small_before:
            runs[-1].append(span)
        elif small:
            runs.append([span])
        small_before = small
    return runs


def _enlarged(
    run: Sequence[Span], left: float, width: float, scale: float
) -> tuple[list[Shape], str]:
    start, end = run[0].start, run[-1].end
    size = max(end - start, 1)
    factor = width / size / scale
    words = f"bytes {start:,} to {end:,}, enlarged {factor:,.0f} times" if factor >= 1.5 else (
        f"bytes {start:,} to {end:,}"
    )  # fmt: skip
    y = _BAR + _GAP
    from_, to = start * scale, max(end * scale, start * scale + 2)
    shapes = [
        line(f"M{from_:.1f} {_BAR}L{left:.1f} {y}H{left + width:.1f}L{to:.1f} {_BAR}z", "veil"),
        line(f"M{from_:.1f} {_BAR}L{left:.1f} {y}M{to:.1f} {_BAR}L{left + width:.1f} {y}"),
        box(from_, 0, to - from_, _BAR, tint=run[0].tint),
        label(left + 8, y - 8, words, kind="small", anchor="start"),
    ]
    per = width / size
    for span in run:
        shapes += _labelled(span, left + (span.start - start) * per, span.size * per, y, _STRIP)
    return shapes, words


def _labelled(span: Span, x: float, width: float, y: float, height: float) -> Iterator[Shape]:
    yield box(
        x + 1, y, max(width - 2, 1), height, tint=span.tint, pick=span.id, dashed=not span.pcrs
    )
    middle = x + width / 2
    lines = height > _BAR
    name = span.name if fits(span.name, width) == "" else _BRIEF.get(span.name, span.name)
    yield from _fitting(name, "strong", middle, y + (19 if lines else 21), width)
    if lines and fits(name, width) is not None:
        yield from _fitting(f"{span.size:,} B", "small", middle, y + 35, width)
    if lines:
        said = ", ".join(span.pcrs) or "in no PCR"
        kind = "pcr" if span.pcrs else "small"
        yield from _fitting(said, kind, middle, y + height + 18, width)


def _fitting(text: str, kind: str, x: float, y: float, width: float) -> Iterator[Shape]:
    room = fits(text, width)
    if room is not None:
        yield label(x, y, text, kind=f"{kind} {room}".strip())


def tree_chart(groups: Sequence[tuple[str, int, int]], name: str) -> Chart:
    """Return where the bytes of a ramdisk are: (folder, files, bytes); width is size."""
    total = sum(size for _, _, size in groups) or 1
    shapes: list[Shape] = []
    at = 0.0
    for number, (folder, files, size) in enumerate(groups):
        width = _WIDE * size / total
        shapes.append(box(at + 1, 0, max(width - 2, 1), 96, tint=number % 6 + 1, pick=folder))
        shapes += _in_group(folder, files, size, at, width)
        at += width
    words = "; ".join(
        f"{folder} {size:,} bytes in {file_count(files)}" for folder, files, size in groups
    )
    return Chart(_WIDE, 98, f"Where the bytes of the {name} are: {words}", tuple(shapes))


def _in_group(folder: str, files: int, size: int, x: float, width: float) -> Iterator[Shape]:
    texts = (
        (22, folder, "strong"),
        (40, file_count(files), "small"),
        (82, _brief(size), "strong"),
    )
    for y, text, kind in texts:
        room = fits(text, width - 20)
        if room is not None:
            yield label(x + 12, y, text, kind=f"{kind} {room}".strip(), anchor="start")


def _brief(size: int) -> str:
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:,.1f} {unit}"
    return f"{size:,} B"
