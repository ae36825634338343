"""The measured query over a CSV that arrives in pieces: counts, sums and means by group.

Bytes go in as they are decrypted; nothing comes out before `Aggregator.finish`. An error in the
CSV is kept until then too: whoever sends tampered ciphertext must not learn from *when* or *how*
the application complained. The messages never say which row or value it was, for the same reason.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from nitro_workflow.enclave.measured import Query
from nitro_workflow.errors import DatasetError

__all__ = ["MAX_GROUPS", "MAX_LINE", "Aggregator", "Summary"]

MAX_LINE = 64 * 1024
"""Bytes of one CSV line: bounds what a file without line ends makes the enclave hold."""

MAX_GROUPS = 10_000
MAX_GROUP_NAME = 128  # characters

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_CENTS = re.compile(r"-?[0-9]{1,13}\.[0-9]{2}")
_CENT = Decimal("0.01")


@dataclass(slots=True)
class _Group:
    count: int = 0
    sums: list[int] = field(default_factory=list)


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
    """Feeds on bytes; holds one line and one small record for each group."""

    def __init__(self, query: Query, threshold: int) -> None:
        self._query = query
        self._threshold = threshold
        self._group_index = query.columns.index(query.group_by)
        self._measures = [
            (query.columns.index(name), _integer if kind == "integer" else _cents)
            for name, kind in query.measures.items()
        ]
        self._carry = b""
        self._groups: dict[str, _Group] = {}
        self._rows = 0
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
            # A quoted line end would be read or refused depending on where the pieces were cut.
            broken = self._rows_of(csv.reader(lines, strict=True)) != len(lines)
        except (ValueError, IndexError, csv.Error):
            broken = True
        if broken:
            self._fail()

    def _rows_of(self, rows: Iterable[list[str]]) -> int:
        """Add the rows up and return how many there were, the header included."""
        iterator, seen = iter(rows), 0
        if not self._header_seen:
            if tuple(next(iterator, ())) != self._query.columns:
                raise ValueError
            self._header_seen, seen = True, 1
        width, index, measures = len(self._query.columns), self._group_index, self._measures
        for row in iterator:
            if len(row) != width:
                raise ValueError
            group = self._groups.get(row[index]) or self._new_group(row[index])
            group.count += 1
            for position, (column, parse) in enumerate(measures):
                group.sums[position] += parse(row[column])
            seen += 1
            self._rows += 1
        return seen

    def _new_group(self, name: str) -> _Group:
        if not 0 < len(name) <= MAX_GROUP_NAME or len(self._groups) >= MAX_GROUPS:
            raise ValueError
        group = _Group(sums=[0] * len(self._measures))
        self._groups[name] = group
        return group

    def _fail(self) -> None:
        self._broken = True
        self._carry = b""
        self._groups.clear()

    def _summary(self) -> Summary:
        shown = {n: g for n, g in self._groups.items() if g.count >= self._threshold}
        return Summary(
            rows=self._rows,
            threshold=self._threshold,
            groups=tuple(self._record(name, shown[name]) for name in sorted(shown)),
            suppressed=len(self._groups) - len(shown),
        )

    def _record(self, name: str, group: _Group) -> dict[str, Any]:
        record: dict[str, Any] = {self._query.group_by: name, "count": group.count}
        for (column, kind), total in zip(self._query.measures.items(), group.sums, strict=True):
            exact = Decimal(total) if kind == "integer" else Decimal(total) * _CENT
            mean = (exact / group.count).quantize(_CENT, ROUND_HALF_EVEN)
            record[column] = {"sum": str(exact), "mean": str(mean)}
        return record


def _number(form: re.Pattern[str]) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not form.fullmatch(text):
            raise ValueError
        return int(text.replace(".", ""))

    return parse


_integer = _number(_INTEGER)
_cents = _number(_CENTS)
