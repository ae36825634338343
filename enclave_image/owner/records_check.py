"""The owner's own CSV, read once before anything of it is encrypted.

The enclave refuses data that is not the agreed CSV, and must not say where: row and value are
content. The owner may know, and learns it here, of every rule that the application has, with line
and column. Two rules are this side's own: a file without a record, and NUL, which no table holds.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn

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

__all__ = ["CheckedRecords", "check_records"]

_BLOCK: Final = 1 << 20  # bytes that are read at once
_BOM: Final = b"\xef\xbb\xbf"
_KINDS: Final = {
    "integer": (re.compile(INTEGER.decode()), "a whole number of at most 15 digits: -12"),
    "cents": (re.compile(CENTS.decode()), "at most 13 digits, a point and two more: -12.50"),
}


@dataclass(frozen=True, slots=True)
class CheckedRecords:
    """What was found; ``size`` in bytes, the header included."""

    rows: int
    groups: int
    size: int


def check_records(source: BinaryIO, query: Query) -> CheckedRecords:
    """Read a CSV to its end and hold it against the query.

    Raises `DatasetError`, whose ``where`` names line and column, at the first line that the
    application would refuse. Nothing of a record is in its text.
    """
    return _Reader(query).read(source)


class _Reader:
    def __init__(self, query: Query) -> None:
        self._query = query
        self._plain = RowForm(query)
        self._line = 0  # the last one that was read
        self._names: set[str] = set()

    def read(self, source: BinaryIO) -> CheckedRecords:
        size = 0
        for lines in _whole_lines(source):
            size += len(lines)
            self._take(lines)
        if not self._line:
            self._refuse("an empty file", f"the header {','.join(self._query.columns)}")
        if self._line == 1:
            self._refuse("a header and no record after it", "at least one record")
        return CheckedRecords(self._line - 1, len(self._names), size)

    def _take(self, block: bytes) -> None:
        if not self._line:
            header, _, block = block.partition(b"\n")
            self._line = 1
            self._header(header)
        if block and not self._take_plain(block if block.endswith(b"\n") else block + b"\n"):
            for line in block.removesuffix(b"\n").split(b"\n"):
                self._line += 1
                self._record(self._fields(line))

    def _take_plain(self, block: bytes) -> bool:
        """Take a block of plain rows at once; False where each line has to be looked at."""
        if b"\0" in block or max(map(len, block.split(b"\n"))) > MAX_LINE:
            return False
        added = self._plain.add_up(block)
        try:
            block.decode("utf-8")
        except ValueError:
            return False
        if added is None or len(self._names) + len(added) > MAX_GROUPS:
            return False
        self._names |= {name.decode("utf-8") for name in added}
        self._line += block.count(b"\n")
        return True

    def _header(self, line: bytes) -> None:
        if line.startswith(_BOM):
            self._refuse("a byte order mark before the header", "UTF-8 without one", column=1)
        found, wanted = self._fields(line), self._query.columns
        for at, name in enumerate(wanted, 1):
            if found[at - 1 : at] != [name]:
                self._refuse("a different header", ",".join(wanted), column=at)
        if len(found) != len(wanted):
            self._refuse("a header that goes on", ",".join(wanted), column=len(wanted) + 1)

    def _fields(self, line: bytes) -> list[str]:
        """Read one line as the application does; refuse it with the column where it breaks."""
        if len(line) > MAX_LINE:
            self._refuse(f"a line of {len(line)} bytes", f"at most {MAX_LINE} bytes")
        if b"\0" in line:
            self._refuse("a NUL byte", "text", column=line[: line.index(b"\0")].count(b",") + 1)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            column = line[: error.start].count(b",") + 1
            self._refuse(f"the byte 0x{line[error.start]:02x}, which is not UTF-8", "UTF-8", column)
        try:
            (fields,) = csv.reader([text], strict=True)
        except csv.Error as error:
            found = "a carriage return inside a line" if "new-line" in str(error) else str(error)
            self._refuse(found, "one record of CSV on one line", _longest_start(text) + 1)
        return fields

    def _record(self, fields: list[str]) -> None:
        columns = self._query.columns
        if len(fields) != len(columns):
            at = min(len(fields), len(columns)) + 1
            self._refuse(f"{len(fields)} fields", f"{len(columns)} fields", at)
        values = dict(zip(columns, fields, strict=True))
        for at, (column, value) in enumerate(values.items(), 1):
            if column in self._query.measures:
                form, expected = _KINDS[self._query.measures[column]]
                if not form.fullmatch(value):
                    self._refuse("no such number", expected, at)
        self._group(values[self._query.group_by])

    def _group(self, name: str) -> None:
        at = self._query.columns.index(self._query.group_by) + 1
        if not 0 < len(name) <= MAX_GROUP_NAME:
            self._refuse(f"{len(name)} characters", f"1 to {MAX_GROUP_NAME}", at)
        self._names.add(name)
        if len(self._names) > MAX_GROUPS:
            self._refuse(f"group number {len(self._names)}", f"at most {MAX_GROUPS}", at)

    def _refuse(self, found: str, expected: str, column: int = 0) -> NoReturn:
        names = self._query.columns
        name = f" ({names[column - 1]})" if 0 < column <= len(names) else ""
        place = f", column {column}{name}" if column else ""
        raise DatasetError(
            found,
            expected=expected,
            where=f"P3, line {max(self._line, 1)}{place}",
            next="mend the file and name it again with --csv; nothing was encrypted",
        )


def _whole_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield blocks that end with a line, and what is left at the end."""
    carry = b""
    while data := source.read(_BLOCK):
        data = carry + data
        end = data.rfind(b"\n") + 1
        carry = data[end:]
        if end:
            yield data[:end]
        if len(carry) > MAX_LINE:  # refused by the one who takes it
            break
    if carry:
        yield carry


def _longest_start(text: str) -> int:
    """Return how many fields of a broken line can be read."""
    parts = text.split(",")
    for count in range(len(parts) - 1, 0, -1):
        try:
            (fields,) = csv.reader([",".join(parts[:count])], strict=True)
        except csv.Error:
            continue
        return len(fields)
    return 0
