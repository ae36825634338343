"""Digests for people: groups of eight digits, the first difference, a picture of their bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

__all__ = ["GROUP", "Digest", "Picture", "digest_of", "first_difference", "grouped", "groups_of"]

GROUP = 8
"""Hex digits a group, four bytes: what an eye compares at once."""
_CELLS = 32  # the left half of 8 × 8 cells; the right half mirrors it
_DEGREES = 360
_IN_A_LINE = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{96}|[0-9a-f]{64})(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of a digest: two hues in degrees, and four columns of eight cells, row by row.

    A cell is ``0`` (ground), ``1`` or ``2`` (two tones of the first hue), ``3`` (the second hue).
    """

    hues: tuple[int, int]
    cells: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest as lower-case hex, with its picture; all zero it has none.

    ``difference`` is the first digit in which it differs from what it is compared with, or -1.
    """

    hex: str
    picture: Picture | None = None
    difference: int = -1

    @property
    def zero(self) -> bool:
        """Whether every byte of it is zero."""
        return not self.hex.strip("0")


def digest_of(value: bytes | str, difference: int = -1) -> Digest:
    """Return the digest of bytes or hex; case does not count, and text that is no hex is kept."""
    text = value.hex() if isinstance(value, bytes) else value.strip().lower()
    picture = _picture(text) if text.strip("0") else None
    return Digest(text, picture, difference)


def _picture(text: str) -> Picture:
    mixed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    first = int.from_bytes(mixed[:2]) % _DEGREES
    # At least 90 degrees apart: two hues that look alike would be one.
    second = (first + 90 + int.from_bytes(mixed[2:4]) % 180) % _DEGREES
    cells = "".join(str(byte % 4) for byte in mixed[4:20] for byte in (byte, byte >> 2))
    return Picture((first, second), cells[:_CELLS])


def first_difference(one: str, other: str) -> int:
    """Return the first character in which two texts differ, or -1; case does not count."""
    one, other = one.lower(), other.lower()
    if one == other:
        return -1
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def groups_of(text: str) -> list[str]:
    """Return hex in groups of eight digits, the last one as long as it is."""
    return [text[at : at + GROUP] for at in range(0, len(text), GROUP)]


def grouped(text: str) -> str:
    """Return a line with each SHA-256 or SHA-384 in it in groups of eight; all zero is said."""
    return _IN_A_LINE.sub(_in_groups, text)


def _in_groups(found: re.Match[str]) -> str:
    digits = found[0]
    if not digits.strip("0"):
        return f"all zero, {len(digits) // 2} bytes"
    return " ".join(groups_of(digits))
