"""Memory: closed to others, and given back."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from nitro_workflow.cloud.local import budgets, process_memory
from nitro_workflow.cloud.local.http import tidying
from nitro_workflow.cloud.local.http.record_reader import RecordReader
from nitro_workflow.cloud.local.http.tidying import Connections
from nitro_workflow.cloud.local.process_memory import (
    give_memory_back,
    keep_for_good,
    limit_heaps,
)
from nitro_workflow.cloud.local.protocol import load_model
from tests.cloud.conftest import RunningCloud
from tests.cloud.test_faults import resident


def test_nobody_else_reads_it(cloud: RunningCloud) -> None:
    limits = Path(f"/proc/{cloud.pid}/limits").read_text().splitlines()
    core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_a_c_library_without_these_knobs_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        def __init__(self, *_: object, **__: object) -> None:
            pass

    monkeypatch.setattr(process_memory.ctypes, "CDLL", Other)
    limit_heaps()
    give_memory_back()


def test_glibc_has_them() -> None:
    library = ctypes.CDLL(None)
    assert all(hasattr(library, name) for name in ("mallopt", "malloc_trim"))


def test_large_bodies_leave_nothing_behind(cloud: RunningCloud) -> None:
    """After objects and calls of all sizes the process is hardly larger than before."""
    s3, kms = cloud.client("s3"), cloud.client("kms")
    s3.create_bucket(Bucket="memory")
    s3.put_object(Bucket="memory", Key="warm", Body=b"x")
    kms.list_keys()
    before = resident(cloud)
    for size in (10_000, 300_000, 3_000_000, 30_000_000):
        s3.put_object(Bucket="memory", Key="k", Body=bytes(size))
        assert len(s3.get_object(Bucket="memory", Key="k")["Body"].read()) == size
    assert resident(cloud) - before < 20 * 1024**2


def test_circles_are_given_back() -> None:
    class Frame:
        pass

    refusal = Frame()
    refusal.cause = refusal  # type: ignore[attr-defined]
    seen = weakref.ref(refusal)
    gc.disable()
    try:
        del refusal
        assert seen() is not None
        give_memory_back()
        assert seen() is None
    finally:
        gc.enable()


class _Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_was_alive_in_a_calm_moment_is_given_back_in_the_next() -> None:
    circle = _Circle()
    seen = weakref.ref(circle)
    keep_for_good()
    assert gc.get_freeze_count() > 10_000
    del circle
    gc.collect()
    assert seen() is not None  # why it is not done in the middle of an attack
    keep_for_good()
    assert seen() is None


def test_a_model_that_comes_with_a_request_freezes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests beside it would hold their connections and bodies for ever."""
    monkeypatch.setattr(gc, "freeze", lambda: pytest.fail("frozen while others are served"))
    assert load_model.__wrapped__("sts").operation_names


def test_what_is_loaded_is_kept_once_and_only_when_it_is_calm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    monkeypatch.setattr(tidying, "keep_for_good", lambda: done.append("kept"))
    monkeypatch.setattr(tidying, "give_memory_back", lambda: done.append("given"))
    once, few = tidying.Tidying().once, budgets.CALM_CONNECTIONS
    for loaded, connections in ((0, 0), (2, few + 1), (2, few), (2, few), (3, 0)):
        once(loaded, connections)
        done.append("|")
    assert " ".join(done) == "given | given | kept given | given | kept given |"


def test_connections_are_counted_to_their_end() -> None:
    before, readers = Connections.open, [RecordReader.__new__(RecordReader) for _ in range(2)]
    for reader in readers:
        reader._inner = mock.Mock()
        reader.connection_made(mock.Mock())
    assert Connections.open == before + 2
    readers[0].connection_lost(None)
    readers[1].connection_lost(ConnectionResetError())
    assert Connections.open == before
