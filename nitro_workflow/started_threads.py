"""A pool of threads that are all there before the first work: one that starts them later may fail.

`ThreadPoolExecutor.submit` raises where no thread can be started, and keeps what was to be done:
the pool does it much later, when the descriptor that it was given may be another file's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["start_threads"]

SECONDS: Final = 60.0  # for all of them to begin; milliseconds in fact


def start_threads(
    pool: ThreadPoolExecutor, count: int, begin: Callable[[], object] = lambda: None
) -> None:
    """Start all ``count`` threads of a pool, where they are not there yet; let each do ``begin``.

    Raises RuntimeError where there is no further thread.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     start_threads(pool, 2, lambda: print("here"))
    here
    here
    """
    together = threading.Barrier(count)

    def start() -> None:
        begin()
        together.wait(timeout=SECONDS)

    try:
        begun = [pool.submit(start) for _ in range(count)]
    except RuntimeError:
        together.abort()  # those that are there wait for one that does not come
        raise
    for started in begun:
        started.result()
