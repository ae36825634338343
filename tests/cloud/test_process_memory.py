"""Memory: closed to others, and given back."""

from __future__ import annotations

import ctypes
import gc
import weakref
from pathlib import Path

import pytest

from nitro_workflow.cloud.local import process_memory
from nitro_workflow.cloud.local.process_memory import give_memory_back, limit_heaps
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
