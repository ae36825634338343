"""The reader of the whole data by `csv` alone: what `query` did before, kept as its oracle.

Slower, and with one way for all data: whatever `enclave_image.inside.query` answers or refuses, this
must answer or refuse too.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from enclave_image.column_sums import MAX_GROUP_NAME, MAX_GROUPS, MAX_LINE
from enclave_image.configuration import Query
from enclave_image.inside.query import Summary
from nitro_workflow.errors import DatasetError

__all__ = ["CsvAggregator"]

# Of a whole column at once: one value a line. Possessive: no way back, so time is linear.
_INTEGERS = re.compile(r"(?:-?[0-9]{1,15}\n)*+")
_CENTS = re.compile(r"(?:-?[0-9]{1,13}\.[0-9]{2}\n)*+")
_CENT = Decimal("0.01")


class CsvAggregator:
    """Feeds on bytes; holds one line and one small record for each group."""

    def __init__(self, query: Query, threshold: int) -> None:
        self._query = query
        self._threshold = threshold
        self._group_index = query.columns.index(query.group_by)
        self._measures = [
            (query.columns.index(name), _INTEGERS if kind == "integer" else _CENTS)
            for name, kind in query.measures.items()
        ]
        self._sums: list[dict[str, int]] = [{} for _ in self._measures]
        self._carry = b""
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
            self._take(data[:end])

    def finish(self) -> Summary:
        """Return the answer, once and last. Raises `DatasetError` when this was not the CSV."""
        if self._carry and not self._broken:
            self._take(self._carry)
        self._carry = b""
        if self._broken or not self._header_seen:
            raise DatasetError(
                "the data is not the CSV that was agreed on",
                expected=f"UTF-8, the header {','.join(self._query.columns)}, one record a line",
                where="D9, the decrypted data (row and value are not told: they are content)",
                next="the data owner checks the file, encrypts it and puts it again",
            )
        return self._summary()

    def _take(self, data: bytes) -> None:
        try:
            lines = data.decode("utf-8").removesuffix("\n").split("\n")
            rows = list(csv.reader(lines, strict=True))
            # A quoted line end would be read or refused depending on where the pieces were cut.
            broken = len(rows) != len(lines)
            if not broken:
                self._add(rows)
        except (ValueError, csv.Error):
            broken = True
        if broken:
            self._fail()

    def _add(self, rows: list[list[str]]) -> None:
        """Add rows up, column by column; raises ValueError where one is none."""
        if not self._header_seen:
            if tuple(rows.pop(0)) != self._query.columns:
                raise ValueError
            self._header_seen = True
        if not rows:
            return
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
        self._carry = b""
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
