"""What an instance has stored: counted by someone it does not trust, however it is nested.

One descriptor at a time: down by name, through no link, and up again by ``..``. Its owner may move
folders meanwhile; that shows, and never leads out of what the owner can write to.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.system_errors import gone_is_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DiskUsage", "FoldersMoved", "measure_folder", "own_everything"]

BLOCK: Final = 512  # bytes of `st_blocks`, whatever the filesystem's own are

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FoldersMoved(Exception):
    """A folder was moved while what is in it was counted."""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """``size`` in bytes of what is allocated; ``entries`` are files, folders and all else."""

    size: int
    entries: int


def measure_folder(folder: Path, *, entries: int) -> DiskUsage:
    """Return what lies below ``folder``; stops at so many ``entries``. A link counts as itself.

    Raises `FoldersMoved`, and OSError where this process has no descriptor left to look with.
    """
    size = count = 0
    for at, names in _below(folder):
        size += sum(_allocated(at, name) for name in names)
        count += len(names)
        if count > entries:
            break
    return DiskUsage(size, count)


def own_everything(folder: Path, user: int) -> None:
    """Give all that lies below to ``user``, links themselves and not what they lead to."""
    for at, names in _below(folder):
        for name in names:
            os.chown(name, user, user, dir_fd=at, follow_symlinks=False)


def _below(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(descriptor of a folder, names in it)`` of this folder and of all below it."""
    at = None
    with gone_is_nothing():
        at = os.open(folder, _OPEN)
    if at is None:
        return
    try:
        names, inner = _listed(at)
        above = [(_identity(at), inner)]
        yield at, names
        while above:
            if above[-1][1]:
                below = _entered(at, above[-1][1].pop())
                if below is None:
                    continue
                os.close(at)
                at = below
                names, inner = _listed(at)
                above.append((_identity(at), inner))
                yield at, names
                continue
            above.pop()
            if above:
                upper = os.open("..", _OPEN, dir_fd=at)
                os.close(at)
                at = upper
                if _identity(at) != above[-1][0]:
                    raise FoldersMoved
    finally:
        os.close(at)


def _listed(at: int) -> tuple[list[str], list[str]]:
    """Return all names in a folder, and those of its folders."""
    with os.scandir(at) as found:
        entries = list(found)
    folders = [it.name for it in entries if it.is_dir(follow_symlinks=False)]
    return [it.name for it in entries], folders


def _entered(at: int, name: str) -> int | None:
    """Open a folder, whose mode may forbid it to its owner; None for what is none any more."""
    with gone_is_nothing():
        try:
            return os.open(name, _OPEN, dir_fd=at)
        except PermissionError:
            return _unlocked(at, name)
    return None


def _unlocked(at: int, name: str) -> int:
    """Let the owner look into a folder of theirs, or it would hide what it holds."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        Path(f"/proc/self/fd/{found}").chmod(stat.S_IRWXU)  # this very folder, no link
    finally:
        os.close(found)
    return os.open(name, _OPEN, dir_fd=at)


def _identity(at: int) -> tuple[int, int]:
    found = os.fstat(at)
    return found.st_dev, found.st_ino


def _allocated(at: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_blocks * BLOCK
    except OSError:  # it is gone already
        return 0
