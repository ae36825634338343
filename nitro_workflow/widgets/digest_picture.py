"""A picture of a digest: the same bytes give the same picture, so that equality is seen at once.

Eight by eight cells, mirrored, of three tones on a ground, in two hues, all mixed from every byte
of the value. It helps the eye only: whoever decides compares bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape

__all__ = ["DigestPicture", "digest_picture", "picture_svg"]

SIDE = 8
_TONES = ("{a} 40% 88%", "{a} 55% 48%", "{b} 60% 60%", "{a} 60% 30%")  # the ground first


@dataclass(frozen=True, slots=True)
class DigestPicture:
    """What is painted, in order: (colour, SVG path on a square of 8). Nothing: all zero."""

    paths: tuple[tuple[str, str], ...] = ()


def digest_picture(digest: str) -> DigestPicture:
    """Return the picture of a digest in hexadecimal, whatever its case; of other text too.

    >>> digest_picture("AB" * 48) == digest_picture("ab" * 48)
    True
    >>> digest_picture("0" * 96).paths
    ()
    """
    text = digest.strip().lower()
    if not text.strip("0"):
        return DigestPicture()
    mixed = hashlib.blake2b(_bytes(text), digest_size=16, person=b"picture").digest()
    hue = int.from_bytes(mixed[8:10], "big") % 360
    other = (hue + 90 + mixed[10] % 181) % 360  # far enough away to be told apart
    colours = [f"hsl({tone.format(a=hue, b=other)})" for tone in _TONES]
    cells = _cells(int.from_bytes(mixed[:8], "big"))
    painted = ((colours[tone], _path(cells, tone)) for tone in (1, 2, 3))
    ground = (colours[0], f"M0 0h{SIDE}v{SIDE}h-{SIDE}z")
    return DigestPicture((ground, *(pair for pair in painted if pair[1])))


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def _cells(bits: int) -> list[list[int]]:
    """Return eight rows of tones, 0 to 3: the left half from the bits, the right its mirror."""
    rows = []
    for y in range(SIDE):
        half = [bits >> 2 * (y * SIDE // 2 + x) & 3 for x in range(SIDE // 2)]
        rows.append(half + half[::-1])
    return rows


def _path(cells: list[list[int]], tone: int) -> str:
    """Return the cells of a tone as one path, neighbours of a row in one stroke."""
    parts = []
    for y, row in enumerate(cells):
        x = 0
        while x < SIDE:
            width = next((n for n, cell in enumerate(row[x:]) if cell != tone), SIDE - x)
            if width:
                parts.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width or 1
    return "".join(parts)


def picture_svg(picture: DigestPicture, size: int, label: str = "") -> str:
    """Return the picture as SVG of ``size`` pixels; without a label it is decoration."""
    said = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    empty = (
        '<rect x=".4" y=".4" width="7.2" height="7.2" rx="1" fill="none" stroke="currentColor"'
        ' stroke-width=".4" stroke-dasharray=".9 .6"/>'
    )
    paths = "".join(
        f'<path fill="{escape(colour)}" d="{escape(path)}"/>' for colour, path in picture.paths
    )
    return (
        f'<svg class="pic" width="{size}" height="{size}" viewBox="0 0 8 8"'
        f' shape-rendering="crispEdges" {said}>{paths or empty}</svg>'
    )
