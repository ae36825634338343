"""What an instance has stored: counted by someone it does not trust, however it is nested."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DEEPEST", "DiskUsage", "measure_folder", "own_everything"]

DEEPEST: Final = 128
"""Folders in one another that are looked into; the hypervisor holds a descriptor for each."""

BLOCK: Final = 512  # bytes of `st_blocks`, whatever the filesystem's own are


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """``size`` in bytes of what is allocated; ``entries`` are files, folders and all else."""

    size: int
    entries: int
    too_deep: bool = False


def measure_folder(folder: Path, *, entries: int) -> DiskUsage:
    """Return what lies below ``folder``; stops at so many ``entries``. A link counts as itself."""
    size = count = 0
    deep = False
    for at, names, is_deepest in _below(folder):
        for name in names:
            size += _allocated(at, name)
        count += len(names)
        deep = deep or is_deepest
        if count > entries:
            break
    return DiskUsage(size, count, deep)


def own_everything(folder: Path, user: int) -> None:
    """Give all that lies below to ``user``, links themselves and not what they lead to."""
    for at, names, _ in _below(folder):
        for name in names:
            os.chown(name, user, user, dir_fd=at, follow_symlinks=False)


def _below(folder: Path) -> Iterator[tuple[int, list[str], bool]]:
    """Yield ``(descriptor of a folder, names in it, whether it has folders not looked into)``."""
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for path, folders, files, at in os.fwalk(".", dir_fd=top):
            names = [*folders, *files]
            deepest = path.count("/") >= DEEPEST and bool(folders)
            if deepest:
                folders.clear()
            yield at, names, deepest
    finally:
        os.close(top)


def _allocated(at: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_blocks * BLOCK
    except OSError:  # it is gone already
        return 0
