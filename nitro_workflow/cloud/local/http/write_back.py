"""Content begins its way to the disk as it comes: the sync at the end then waits for little."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

__all__ = ["WriteBack"]

_WRITE: Final = 2  # SYNC_FILE_RANGE_WRITE of <fcntl.h>: begin, and wait for nothing
_STEP: Final = 8 * 1024**2  # bytes a call: so much is a disk's work of some milliseconds
_Sync = Callable[[int, ctypes.c_int64, ctypes.c_int64, int], int]


class WriteBack:
    """Tells Linux to begin to write what a file has grown by; elsewhere it does nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = 0
        self._sync: _Sync | None = getattr(ctypes.CDLL(None), "sync_file_range", None)

    def grown_to(self, size: int) -> None:
        """Begin to write what is there, where it is enough to be worth it."""
        more = size - self._begun
        if self._sync is not None and more >= _STEP:
            # Advice: what fails here, the sync at the end says.
            begun, length = ctypes.c_int64(self._begun), ctypes.c_int64(more)
            self._sync(self._descriptor, begun, length, _WRITE)
            self._begun = size
