"""The lab's lock: one step at a time, whichever notebook, terminal or process runs it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOCK_SECONDS", "LabLock"]

LOCK_SECONDS: Final = 120.0
"""How long a step waits for another notebook's step: the longest step takes a tenth of that."""


class LabLock:
    """A lock on a file, which the kernel releases however its holder ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.RLock()
        self._depth = 0
        self._descriptor = -1

    @contextlib.contextmanager
    def hold(self, what: str, seconds: float) -> Iterator[None]:
        """Hold the lock; the same thread may enter again.

        Raises `LabError` that names the holder when somebody else keeps it for ``seconds``.
        """
        if not self._mutex.acquire(timeout=seconds):
            raise _busy("another thread of this process", self._path.parent)
        try:
            if self._depth == 0:
                self._descriptor = _locked(self._path, what, seconds)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._descriptor)
        finally:
            self._mutex.release()


def _locked(path: Path, what: str, seconds: float) -> int:
    """Return the locked file; its text says who holds it, where there is room for a text."""
    deadline = time.monotonic() + seconds
    descriptor = _open(path)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
                os.close(descriptor)
                raise _busy(holder or "another process", path.parent) from error
            time.sleep(0.05)
        else:
            break
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{what} in process {os.getpid()}".encode(), 0)
    return descriptor


def _open(path: Path) -> int:
    """Open the file, for reading only where the disk is: a lock needs no more."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise LabError(
                f"{error.strerror}: {path}",
                expected="the lab's lock",
                where="lab folder",
                next="name another folder with --lab or NITRO_WORKFLOW_LAB",
            ) from error


def _busy(holder: str, folder: Path) -> LabError:
    return LabError(
        f"the lab is busy: {holder}",
        expected="one step at a time",
        where=str(folder),
        next="wait for it to end, or interrupt it",
    )
