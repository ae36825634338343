"""The MD5 of a stream, computed by a thread of its own beside whoever else reads the same bytes.

S3's ETag is an MD5, and one core makes some 750 MB of it a second: of all that an upload needs it
takes the longest, and nothing makes it shorter (benchmarks/large_objects.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from nitro_workflow.cloud.local import budgets

__all__ = ["Md5Beside"]


class Md5Beside:
    """An MD5 that is behind by no more than what the last `update` brought.

    Without an executor, and for what is shorter than handing it over, it is computed at once.
    """

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._under_way: Future[None] | None = None

    def update(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Take the next bytes, which nobody may change any more."""
        self._wait()
        if self._executor is None or sum(map(len, pieces)) < budgets.BLOCK_BYTES:
            self._take(pieces)
        else:
            self._under_way = self._executor.submit(self._take, pieces)

    def digest(self) -> bytes:
        """Return the MD5 of all that came."""
        self._wait()
        return self._md5.digest()

    def _take(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            self._md5.update(piece)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()
