"""Removing a folder that somebody else may have filled: however deep it is, and through no link."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["remove_tree"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove ``path``, whatever it is, with all below it; without effect where there is nothing.

    Folders are lifted to the top one by one: no recursion, no long path, few descriptors. Raises
    OSError where something cannot be removed; what could be is gone then.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        path.unlink(missing_ok=True)
        return
    _make_usable(str(path), None)
    top = os.open(path, _FOLDER)
    try:
        while names := _names(top):
            for name in names:
                _remove_entry(top, name)
    finally:
        os.close(top)
    path.rmdir()


def _remove_entry(top: int, name: str) -> None:
    if not _is_folder(top, name):
        os.unlink(name, dir_fd=top)
        return
    _make_usable(name, top)
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        for below in _names(folder):
            if _is_folder(folder, below):
                _make_usable(below, folder)
                lifted = f".removed-{secrets.token_hex(8)}"
                os.rename(below, lifted, src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(below, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _is_folder(at: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)


def _make_usable(name: str, at: int | None) -> None:
    """Let the owner read and change a folder, whose mode may forbid it."""
    with contextlib.suppress(PermissionError):  # another user's: what needs it says so
        os.chmod(name, 0o700, dir_fd=at)  # a folder, as was just seen
