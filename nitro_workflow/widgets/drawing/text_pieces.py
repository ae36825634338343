"""The same pieces as lines of text: for a terminal, a diff and a screen reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nitro_workflow.widgets.drawing.digests import GROUP, Digest, groups_of
from nitro_workflow.widgets.drawing.verdicts import MARKS, Head

__all__ = ["digest_lines", "dump_lines", "fact_lines", "head_lines", "indented", "table_lines"]

_A_LINE = 6  # groups: 24 bytes, so that a PCR is two lines
_ROW = 16


def head_lines(head: Head) -> Iterator[str]:
    """Yield the verdict, then what it is about, why, and what to do next."""
    yield f"{MARKS[head.tone]} {head.verdict}"
    yield f"  {head.what}"
    if head.why:
        yield f"  why   {head.why}"
    if head.next:
        yield f"  next  {head.next}"


def fact_lines(pairs: Iterable[tuple[str, str]], indent: str = "  ") -> Iterator[str]:
    """Yield names with their values below each other; empty values are left out."""
    kept = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        first, *others = value.splitlines() or [""]
        yield f"{indent}{name:<{width}}  {first}".rstrip()
        yield from (f"{indent}{'':<{width}}  {line}".rstrip() for line in others)


def table_lines(
    columns: Sequence[str], lines: Iterable[Sequence[str]], indent: str = "  "
) -> Iterator[str]:
    """Yield a table, each column as wide as its widest cell."""
    table = [*([list(columns)] if any(columns) else []), *map(list, lines)]
    count = max(map(len, table), default=0)
    widths = [
        max((len(row[at]) for row in table if at < len(row)), default=0) for at in range(count)
    ]
    for row in table:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        yield f"{indent}{'  '.join(cells)}".rstrip()


def digest_lines(digest: Digest) -> Iterator[str]:
    """Yield a digest in groups, six a line, a caret below the first digit that differs."""
    if digest.zero and digest.hex:
        yield f"all zero, {len(digest.hex) // 2} bytes"
        return
    groups = groups_of(digest.hex)
    for at in range(0, len(groups), _A_LINE):
        yield " ".join(groups[at : at + _A_LINE])
        place = digest.difference - at * GROUP
        if digest.difference >= 0 and 0 <= place < _A_LINE * GROUP:
            yield f"{' ' * (place + place // GROUP)}^ first difference"


def indented(lines: Iterable[str], by: str = "  ") -> Iterator[str]:
    """Yield lines set in."""
    yield from (f"{by}{line}".rstrip() for line in lines)


def dump_lines(data: bytes, start: int = 0) -> Iterator[str]:
    """Yield bytes as rows of sixteen: offset, hex with a gap after eight, ASCII."""
    for at in range(0, len(data), _ROW):
        row = data[at : at + _ROW]
        digits = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in row)
        yield f"{start + at:04x}  {digits}  {letters}"
