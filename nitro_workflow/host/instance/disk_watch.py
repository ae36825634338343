"""What an instance may keep on disk, looked at while it runs: size, number, logs, the mode.

A filesystem that has no quotas holds none of it; the hypervisor does, and ends what goes beyond.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.instance.instance_disk import FoldersMoved, measure_folder
from nitro_workflow.host.instance.instance_paths import LOGS

if TYPE_CHECKING:
    from pathlib import Path

    from nitro_workflow.host.sandbox.memory_use import Usage

__all__ = ["ENTRIES", "DiskWatch", "excess"]

ENTRIES: Final = 50_000
"""Files, folders and all else in an instance's folder; the application has some dozens."""

LOG_BYTES: Final = 8 << 20
"""Of one program's log: a larger one starts over."""

EVERY: Final = 1.0  # seconds between two counts
SUDDENLY: Final = 8  # a count at once where this part of the quota has gone from the disk

PATIENCE: Final = 10  # counts in a row that moved folders may spoil

MIB: Final = 1 << 20


class DiskWatch:
    """Called with each look of the `Watch`; returns what is too much, or nothing."""

    def __init__(self, folder: Path, disk: int, mode: int) -> None:
        self._folder, self._disk, self._mode = folder, disk, mode
        self._device = folder.stat().st_dev
        self._counted = 0.0
        self._free = 0
        self._in_vain = 0

    def __call__(self, usage: Usage) -> str:
        """Put the mode back, cut the logs, count where it is time to."""
        self._put_mode_back()
        for name in LOGS.values():
            cut_log(self._folder / name)
        if not self._is_due():
            return ""
        begun = time.monotonic()
        try:
            found = excess(self._folder, self._disk, usage.deleted.get(self._device, 0))
            self._in_vain = 0
        except FoldersMoved:
            self._in_vain += 1
            found = "folders that are moved while they are counted" * (self._in_vain > PATIENCE)
        self._counted = 2 * time.monotonic() - begun  # what takes long is done less often
        return found

    def _put_mode_back(self) -> None:
        if stat.S_IMODE(self._folder.stat().st_mode) != self._mode:
            self._folder.chmod(self._mode)

    def _is_due(self) -> bool:
        found = os.statvfs(self._folder)
        free = found.f_bfree * found.f_frsize
        due = time.monotonic() - self._counted > EVERY or self._free - free > self._disk // SUDDENLY
        if due:
            self._free = free
        return due


def excess(folder: Path, disk: int, deleted: int = 0) -> str:
    """Return what an instance's folder has too much of; ``deleted``: bytes of unlinked files.

    Raises `FoldersMoved`.
    """
    found = measure_folder(folder, entries=ENTRIES)
    if found.entries > ENTRIES:
        return f"files: over {ENTRIES}"
    size = found.size + deleted
    return f"disk: {size // MIB} MiB of {disk // MIB}" if size > disk else ""


def cut_log(path: Path) -> None:
    """Start a log over that has grown over `LOG_BYTES`; its program appends."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        descriptor = os.open(path, flags)
        try:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode) and found.st_size > LOG_BYTES:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
