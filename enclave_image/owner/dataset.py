"""Customer records for the walk: a seeded CSV of exactly as many bytes as asked, as a stream.

The same seed and size give the same bytes on every machine, and no more than one block of rows
is in memory. A few rows belong to a region of fewer customers than the threshold, so that there
is always something to suppress.
"""

from __future__ import annotations

import csv
import errno
import io
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, BinaryIO

from nitro_workflow.errors import LabError, UsageError

__all__ = [
    "COLUMNS",
    "DEFAULT_THRESHOLD",
    "MIN_BYTES",
    "QUERY",
    "CustomerRecords",
    "expected_aggregates",
    "open_records",
]

COLUMNS = ("customer_id", "name", "region", "segment", "since", "orders", "balance")

QUERY: dict[str, Any] = {
    "columns": list(COLUMNS),
    "group_by": "region",
    "measures": {"orders": "integer", "balance": "cents"},
}
"""The query of the walk, as the measured configuration holds it."""

DEFAULT_THRESHOLD = 10
"""Customers; a smaller group is suppressed."""

MIN_BYTES = 1024
BLOCK_ROWS = 1000
POOL_ROWS = 4096

_REGIONS = ("africa", "americas", "asia", "europe", "oceania")
_SHARES = (11, 23, 34, 27, 5)
_RARE_REGION = "antarctica"
_RARE_IDS = frozenset((3, 5, 8))
_SEGMENTS = ("consumer", "corporate", "public", "startup")
_GIVEN = ("Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Ken", "Niklaus", "Tim")
_FAMILY = ("Abdi", "Brandt", "Chen", "Dias", "Eriksen", "Fofana", "Garcia", "Haddad", "Ito")


class CustomerRecords(io.RawIOBase):
    r"""A readable stream of ``size`` bytes of CSV; never all in memory, readable once.

    Raises `UsageError` for a size below `MIN_BYTES`.

    >>> CustomerRecords(seed=7, size=1024).readline()
    b'customer_id,name,region,segment,since,orders,balance\n'
    """

    def __init__(self, *, seed: int, size: int) -> None:
        super().__init__()
        if size < MIN_BYTES:
            raise UsageError(
                f"{size} bytes", expected=f"at least {MIN_BYTES} bytes", where="dataset size"
            )
        self.size = size
        self._blocks = _blocks(seed, size)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill ``buffer`` with the next bytes; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def open_records(path: Path) -> BinaryIO:
    """Open the owner's own records; what is in them is `check_records`' matter.

    Raises `LabError` for what is no regular file, or cannot be read.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, "no such file, or not a regular one")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise LabError(
            f"{getattr(error, 'strerror', None) or error}: {path}",
            expected="the owner's records, a CSV file",
            where="P3",
            next="name another file with --csv",
        ) from error


def _blocks(seed: int, size: int) -> Iterator[bytes]:
    chooser = random.Random(seed)  # noqa: S311 - made-up customers, the same on every machine
    pool = [_tail(chooser) for _ in range(POOL_ROWS)]
    left, number = size, 0
    block = ",".join(COLUMNS) + "\n"
    while True:
        rows = [
            _row(number + i, tail) for i, tail in enumerate(chooser.choices(pool, k=BLOCK_ROWS))
        ]
        number += BLOCK_ROWS
        following = "".join(rows)
        # The last block is cut at a row, and its last row stretched to the byte.
        if len(block) + len(following) + 2 * MIN_BYTES >= left:
            yield _stretch((block + following).encode("ascii"), left, number, chooser, pool)
            return
        if block:
            yield block.encode("ascii")
            left -= len(block)
        block = following


def _stretch(text: bytes, left: int, number: int, chooser: random.Random, pool: list[str]) -> bytes:
    while len(text) < left + MIN_BYTES:
        text += _row(number, chooser.choice(pool)).encode("ascii")
        number += 1
    kept = text[: text.rfind(b"\n", 0, left - 1) + 1]
    last = text[len(kept) :].split(b"\n", 1)[0]
    missing = left - len(kept) - 1
    if missing < len(last):  # the row does not fit: the one before is stretched instead
        start = kept.rfind(b"\n", 0, len(kept) - 1) + 1
        last = kept[start:-1]
        kept = kept[:start]
        missing = left - len(kept) - 1
    customer, name, rest = last.split(b",", 2)
    name += b"x" * (missing - len(last))
    return kept + b",".join((customer, name, rest)) + b"\n"


def _tail(chooser: random.Random) -> str:
    region = chooser.choices(_REGIONS, _SHARES)[0]
    year, month, day = chooser.randrange(10, 27), chooser.randrange(1, 13), chooser.randrange(1, 29)
    since = f"20{year}-{month:02}-{day:02}"
    name = f"{chooser.choice(_GIVEN)} {chooser.choice(_FAMILY)}"
    balance = f"{chooser.randrange(-500, 20_000)}.{chooser.randrange(100):02}"
    return f"{name},{region},{chooser.choice(_SEGMENTS)},{since},{chooser.randrange(400)},{balance}"


def _row(number: int, tail: str) -> str:
    if number in _RARE_IDS:
        name, _, rest = tail.split(",", 2)
        tail = f"{name},{_RARE_REGION},{rest}"
    return f"{number:08},{tail}\n"


def expected_aggregates(
    *, seed: int, size: int, threshold: int = DEFAULT_THRESHOLD
) -> dict[str, Any]:
    """Return what `QUERY` must answer for these records, worked out another way than the enclave.

    Keys ``rows``, ``threshold``, ``groups`` (records sorted by region), ``suppressed``.
    """
    counts: Counter[str] = Counter()
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    text = io.TextIOWrapper(io.BufferedReader(CustomerRecords(seed=seed, size=size)), "ascii")
    for row in csv.DictReader(text):
        counts[row["region"]] += 1
        for column in QUERY["measures"]:
            sums[row["region"], column] += Decimal(row[column])
    shown = sorted(region for region, count in counts.items() if count >= threshold)
    return {
        "rows": counts.total(),
        "threshold": threshold,
        "groups": [_expected(region, counts[region], sums) for region in shown],
        "suppressed": len(counts) - len(shown),
    }


def _expected(
    region: str, count: int, sums: defaultdict[tuple[str, str], Decimal]
) -> dict[str, Any]:
    record: dict[str, Any] = {"region": region, "count": count}
    for column in QUERY["measures"]:
        total = sums[region, column]
        mean = (total / count).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        record[column] = {"sum": str(total), "mean": str(mean)}
    return record
