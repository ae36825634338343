"""Plain rows, added up by the standard library's C code; what is not plain is left to `csv`.

A regular expression finds the rows of a block, all at once, and requires their whole grammar:
the agreed number of columns, the form of every measure. A block in which anything else stands
(a quote, a lone carriage return, a row that is none) is not added up here: `RowForm.add_up`
answers None, and the reader of `query`, which knows all of CSV, decides what it is.

Where a group has many rows in the block, its numbers are not converted one by one. They are written
below each other, as on paper, and each decimal place is added up by itself.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, repeat
from typing import Final

from enclave_image.configuration import Query

__all__ = ["CENTS", "INTEGER", "MAX_GROUPS", "MAX_GROUP_NAME", "MAX_LINE", "RowForm"]

INTEGER: Final = rb"-?+[0-9]{1,15}+"
CENTS: Final = rb"-?+[0-9]{1,13}+\.[0-9][0-9]"
_FORMS: Final = {"integer": INTEGER, "cents": CENTS}

MAX_LINE: Final = 64 * 1024
"""Bytes of one CSV line: bounds what a file without line ends makes the enclave hold."""

MAX_GROUPS: Final = 10_000
MAX_GROUP_NAME: Final = 128  # characters

_FIELD: Final = 131_072  # csv.field_size_limit's default; a longer field is for `csv` to refuse

_CELL: Final = 17
"""Bytes for one number: a sign, 15 digits, and a space before the next."""

_MANY: Final = 48
"""Rows a group, on average, from which adding by places is the shorter way; measured."""

_VALUES: Final = bytes(code - 48 if 48 <= code <= 57 else 0 for code in range(256))
_ADDENDS: Final = 65_520 // 9  # digits whose sum Adler-32 cannot wrap


Sums = tuple[int, list[int]]
"""How many rows a group has, and the sum of each measure."""


class RowForm:
    """How a plain row of a query's CSV is written."""

    def __init__(self, query: Query) -> None:
        columns = list(query.columns)
        parts: list[bytes] = []
        captured: list[str] = []  # what each capture of the pattern begins with
        for is_measure, names in groupby(columns, query.measures.__contains__):
            run = list(names)
            if is_measure:
                parts.append(b"(%s)" % b",".join(_FORMS[query.measures[name]] for name in run))
                captured.append(run[0])
            else:
                parts += [_text(name == columns[-1], name == query.group_by) for name in run]
                captured += [query.group_by] if query.group_by in run else []
        # Where the group's name is a measure too, it has no place of its own: `csv` reads that.
        self._never = query.group_by in query.measures
        # A row, else all that is left: no place is tried twice, so time is linear in any data.
        self._pattern = re.compile(b",".join(parts) + rb"\n|(?s:.+)")
        self._step = len(captured) + 1
        self._name = 0 if self._never else captured.index(query.group_by) + 1
        self._runs = [at for at in range(1, self._step) if at != self._name]
        found = [name for name in columns if name in query.measures]
        self._order = [found.index(name) for name in query.measures]

    def add_up(self, block: bytes) -> Mapping[bytes, Sums] | None:
        """Return, for each group of a block of whole lines, its count and its measures' sums.

        The sums stand in the order of the query's measures; cents are whole. None where the block
        is not made of plain rows only.
        """
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if self._never or b'"' in block or b"\r" in block:
            return None
        # What was captured of each row, one flat list: a tuple a row would keep the garbage
        # collector busy for a fifth of the time.
        fields = self._pattern.split(block)
        names = fields[self._name :: self._step]
        # Every row holds at least one line end. They are as many as the line ends, and nothing was
        # left over: so each line is one row, and no other field holds a line end.
        if names[-1] is None or len(names) != block.count(b"\n"):
            return None
        numbers = self._numbers(fields)
        if len(names) < _MANY * len(set(names)):
            added = _one_by_one(names, numbers, len(self._order))
        else:
            added = _group_by_group(names, numbers, len(self._order))
        return {name: (count, [sums[at] for at in self._order]) for name, count, sums in added}

    def _numbers(self, fields: list[bytes]) -> Iterable[bytes]:
        """Return the measures of each row, as one text with commas."""
        runs = [fields[at :: self._step] for at in self._runs]
        if len(runs) == 1:
            return runs[0]
        return map(b",".join, zip(*runs, strict=True)) if runs else repeat(b"")


def _text(last: bool, name: bool) -> bytes:
    letter = rb"[^,\n]" if last else rb"[^,]"
    # At most so many bytes, and so at most so many characters.
    return rb"(%s{1,%d}+)" % (letter, MAX_GROUP_NAME) if name else rb"%s{0,%d}+" % (letter, _FIELD)


def _one_by_one(
    names: Sequence[bytes], numbers: Iterable[bytes], columns: int
) -> Iterable[tuple[bytes, int, list[int]]]:
    """Convert every number and add it to its group's."""
    sums = [dict.fromkeys(names, 0) for _ in range(columns)]
    if columns:
        values = list(map(int, b",".join(numbers).replace(b".", b"").split(b",")))
        for at, column in enumerate(sums):
            for name, value in zip(names, values[at::columns], strict=True):
                column[name] += value
    for name, count in Counter(names).items():
        yield name, count, [column[name] for column in sums]


def _group_by_group(
    names: Sequence[bytes], numbers: Iterable[bytes], columns: int
) -> Iterable[tuple[bytes, int, list[int]]]:
    """Lay the numbers of each group below each other and add them up by places."""
    by_name = defaultdict(list)
    for name, row in zip(names, numbers, strict=False):
        by_name[name].append(row)
    for name, rows in by_name.items():
        yield name, len(rows), _add_columns(b",".join(rows), columns)


def _add_columns(numbers: bytes, columns: int) -> list[int]:
    """Add up numbers that stand in ``columns`` columns, row after row: ``1,2.50,-3,4.00``."""
    # Backwards, units come first, so that the places of all numbers stand below each other.
    backwards = numbers.replace(b".", b"")[::-1]
    cells = (backwards.replace(b",", b"\t") + b"\t").expandtabs(_CELL)
    stride = columns * _CELL
    return [_add_column(cells, at, stride) for at in reversed(range(0, stride, _CELL))]


def _add_column(cells: bytes, start: int, stride: int) -> int:
    """Add up the numbers that begin at ``start`` of each row, place by place."""
    total = 0
    for place in range(_CELL):
        column = cells[start + place :: stride]
        if column.isspace():
            break
        total += 10**place * _add_digits(column.translate(_VALUES))
        row = column.find(b"-")
        while row >= 0:  # its digits were added as if it had no sign
            cell = row * stride + start
            total -= 2 * int(cells[cell : cell + place][::-1])
            row = column.find(b"-", row + 1)
    return total


def _add_digits(values: bytes) -> int:
    """Add up bytes of at most 9: RFC 1950 §9, the low half of Adler-32 is their sum mod 65521."""
    parts = range(0, len(values), _ADDENDS)
    return sum(zlib.adler32(values[at : at + _ADDENDS], 0) & 0xFFFF for at in parts)
