"""All threads of a pool are there before the first work, or none of them waits for the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nitro_workflow import started_threads
from nitro_workflow.started_threads import start_threads


def test_all_are_there() -> None:
    begun: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        start_threads(pool, 4, lambda: begun.append(threading.current_thread().name))
        assert len(set(begun)) == 4


def test_where_one_cannot_be_started_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones waited, and the process that gave up could not end before they did."""
    monkeypatch.setattr(started_threads, "SECONDS", 200.0)
    real, left = threading.Thread.start, [1, 1]

    def start(self: threading.Thread) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        real(self)

    pool = ThreadPoolExecutor(3, thread_name_prefix="few")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start"):
            start_threads(pool, 3)
    pool.shutdown(wait=False)
    for thread in threading.enumerate():
        if thread.name.startswith("few"):
            thread.join(60)
            assert not thread.is_alive()
