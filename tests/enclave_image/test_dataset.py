"""The generator: exact size, the same bytes for the same seed, never all in memory."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tracemalloc

import pytest

from enclave_image.owner.dataset import (
    COLUMNS,
    DEFAULT_THRESHOLD,
    MIN_BYTES,
    CustomerRecords,
    expected_aggregates,
    open_records,
)
from nitro_workflow.errors import LabError, UsageError


def read_all(seed: int, size: int) -> bytes:
    return io.BufferedReader(CustomerRecords(seed=seed, size=size)).read()


@pytest.mark.parametrize(
    "size", [*range(MIN_BYTES, MIN_BYTES + 120, 7), *range(63_000, 63_100, 9), 1_000_003]
)
def test_the_size_is_exact_and_every_row_is_whole(size):
    data = read_all(3, size)
    assert len(data) == size
    assert data.endswith(b"\n")
    rows = list(csv.reader(io.StringIO(data.decode("ascii"))))
    assert tuple(rows[0]) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert [int(row[0]) for row in rows[1:]] == list(range(len(rows) - 1))


def test_seed_and_size_fix_the_bytes_on_every_machine():
    digest = hashlib.sha256(read_all(1, 100_000)).hexdigest()
    assert digest == "4599ae41c8c6d9618092eb05bee97e76f1d78b09fff336394efedae0837c0d5f"
    assert read_all(1, 100_000) != read_all(2, 100_000)


def test_reading_in_other_pieces_gives_the_same():
    stream, parts = CustomerRecords(seed=1, size=50_000), []
    while part := stream.read(777):
        parts.append(part)
    assert b"".join(parts) == read_all(1, 50_000)


def test_memory_does_not_grow_with_size():
    def peak(size: int) -> int:
        tracemalloc.start()
        stream = CustomerRecords(seed=1, size=size)
        while stream.read(1 << 16):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(4_000_000) < peak(400_000) + 200_000


def test_there_is_always_a_group_to_suppress():
    expected = expected_aggregates(seed=5, size=100_000)
    assert expected["suppressed"] == 1
    assert all(group["count"] >= DEFAULT_THRESHOLD for group in expected["groups"])
    assert "antarctica" not in str(expected)


def test_too_small_is_refused():
    with pytest.raises(UsageError):
        CustomerRecords(seed=1, size=MIN_BYTES - 1)


def test_own_records_are_opened_at_their_beginning(tmp_path):
    path = tmp_path / "own.csv"
    path.write_bytes(b"a,b\n")
    with open_records(path) as file:
        assert file.read() == b"a,b\n"


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing", tmp_path / "nul\0"):
        with pytest.raises(LabError) as caught:
            open_records(path)
        assert "--csv" in caught.value.next
