"""The measured query over a CSV that arrives in pieces: counts, sums and means by group.

Authenticated bytes go in as they come; nothing comes out before `Aggregator.finish`. An error in
the CSV is kept until then too: whoever cuts a message short must not learn from it what was in the
part that they sent. The messages never say which row or value it was, for the same reason.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from enclave_image.column_sums import (
    CENTS,
    INTEGER,
    MAX_GROUP_NAME,
    MAX_GROUPS,
    MAX_LINE,
    RowForm,
)
from enclave_image.configuration import Query
from nitro_workflow.errors import DatasetError

__all__ = ["Aggregator", "Summary"]

BLOCK = 128 * 1024
"""Bytes of whole lines that are added up at once: what a group costs is paid once a block."""

# Of a whole column at once: one value a line. Possessive: no way back, so time is linear.
_FORMS = {
    "integer": re.compile(rf"(?:{INTEGER.decode()}\n)*+"),
    "cents": re.compile(rf"(?:{CENTS.decode()}\n)*+"),
}
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer. ``groups`` are those of at least ``threshold`` rows, sorted by name."""

    rows: int
    threshold: int
    groups: tuple[dict[str, Any], ...]
    suppressed: int

    def to_json(self) -> dict[str, Any]:
        """Return the result's JSON object. Money is text, so that no reader rounds it."""
        return {
            "rows": self.rows,
            "threshold": self.threshold,
            "groups": list(self.groups),
            "suppressed": self.suppressed,
        }


class Aggregator:
    """Feeds on bytes; holds one block and one small record for each group."""

    def __init__(self, query: Query, threshold: int) -> None:
        self._query = query
        self._threshold = threshold
        self._plain = RowForm(query)
        self._group_index = query.columns.index(query.group_by)
        self._measures = [
            (query.columns.index(name), _FORMS[kind]) for name, kind in query.measures.items()
        ]
        self._sums: list[dict[str, int]] = [{} for _ in self._measures]
        self._carry = b""
        self._lines: list[bytes] = []
        self._held = 0
        self._counts: Counter[str] = Counter()
        self._header_seen = False
        self._broken = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of any length. Never raises: see `finish`."""
        if self._broken:
            return
        data = self._carry + data if self._carry else data
        end = data.rfind(b"\n") + 1
        self._carry = data[end:]
        if len(self._carry) > MAX_LINE:
            self._fail()
        elif end:
            self._lines.append(data[:end])
            self._held += end
            if self._held >= BLOCK:
                self._take_lines()

    def finish(self) -> Summary:
        """Return the answer, once and last. Raises `DatasetError` when this was not the CSV."""
        if self._carry:
            self._lines.append(self._carry + b"\n")
            self._carry = b""
        if self._lines and not self._broken:
            self._take_lines()
        if self._broken or not self._header_seen:
            raise DatasetError(
                "the data is not the CSV that was agreed on",
                expected=f"UTF-8, the header {','.join(self._query.columns)}, one record a line",
                where="D9, the decrypted data (row and value are not told: they are content)",
                next="the data owner checks the file, encrypts it and puts it again",
            )
        return self._summary()

    def _take_lines(self) -> None:
        block = b"".join(self._lines)
        self._lines, self._held = [], 0
        try:
            if not self._header_seen:
                header, _, block = block.partition(b"\n")
                self._take_header(header)
            if block:
                self._add(block)
        except (ValueError, csv.Error):
            self._fail()

    def _take_header(self, line: bytes) -> None:
        if self._rows(line) != [[*self._query.columns]]:
            raise ValueError
        self._header_seen = True

    def _add(self, block: bytes) -> None:
        """Add whole lines up; raises ValueError or csv.Error where one is no record."""
        plain = self._plain.add_up(block)
        if plain is None:
            self._add_rows(self._rows(block.removesuffix(b"\n")))
            return
        block.decode("utf-8")  # the columns that nothing is made of are UTF-8 too
        groups = {name.decode("utf-8"): group for name, group in plain.items()}
        self._meet(groups.keys() - self._counts.keys())
        for name, (count, added) in groups.items():
            self._counts[name] += count
            for sums, value in zip(self._sums, added, strict=True):
                sums[name] += value

    @staticmethod
    def _rows(block: bytes) -> list[list[str]]:
        lines = block.decode("utf-8").split("\n")
        rows = list(csv.reader(lines, strict=True))
        # A quoted line end would be read or refused depending on where the pieces were cut.
        if len(rows) != len(lines):
            raise ValueError
        return rows

    def _add_rows(self, rows: list[list[str]]) -> None:
        """Add any rows up, column by column; raises ValueError where one is none."""
        columns = list(zip(*rows, strict=True))
        if len(columns) != len(self._query.columns):
            raise ValueError
        names = columns[self._group_index]
        self._meet(set(names) - self._counts.keys())
        self._counts.update(names)
        for (column, form), sums in zip(self._measures, self._sums, strict=True):
            values = _numbers(columns[column], form)
            for name, value in zip(names, values, strict=True):
                sums[name] += value

    def _meet(self, names: set[str]) -> None:
        if len(self._counts) + len(names) > MAX_GROUPS:
            raise ValueError
        for name in names:
            if not 0 < len(name) <= MAX_GROUP_NAME:
                raise ValueError
            for sums in self._sums:
                sums[name] = 0

    def _fail(self) -> None:
        self._broken = True
        self._carry, self._lines = b"", []
        self._counts.clear()

    def _summary(self) -> Summary:
        shown = sorted(n for n, count in self._counts.items() if count >= self._threshold)
        return Summary(
            rows=self._counts.total(),
            threshold=self._threshold,
            groups=tuple(self._record(name) for name in shown),
            suppressed=len(self._counts) - len(shown),
        )

    def _record(self, name: str) -> dict[str, Any]:
        count = self._counts[name]
        record: dict[str, Any] = {self._query.group_by: name, "count": count}
        for (column, kind), sums in zip(self._query.measures.items(), self._sums, strict=True):
            exact = Decimal(sums[name]) if kind == "integer" else Decimal(sums[name]) * _CENT
            mean = (exact / count).quantize(_CENT, ROUND_HALF_EVEN)
            record[column] = {"sum": str(exact), "mean": str(mean)}
        return record


def _numbers(texts: Sequence[str], form: re.Pattern[str]) -> list[int]:
    """Return a column's values; raises ValueError unless every text has the form."""
    column = "\n".join(texts) + "\n"
    if not form.fullmatch(column):
        raise ValueError
    return list(map(int, column.replace(".", "").split()))
