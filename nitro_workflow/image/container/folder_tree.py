"""A root filesystem that is a folder of this machine, as a file tree."""

# ruff: noqa: PTH115 - thousands of small files: Path objects cost a third of the time
from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.ramdisk import Node, symlink_node

_PIECE: Final = 1024 * 1024  # bytes read at a time
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Tree:
    """A file tree and what of its source a ramdisk cannot hold, for the person who builds."""

    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()


def tree_from_folder(folder: Path) -> Tree:
    """Return the folder's content, sorted by path; every owner 0:0, modes as they are.

    Nothing is followed out of the folder. Sockets are left out and extended attributes dropped,
    both with a note: newc cpio holds neither. Raises `ImageError`.
    """
    try:
        root = os.fsencode(folder.resolve(strict=True))
        scan = _Scan(len(root) + 1)
        scan.folder(root)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        name = error.filename if isinstance(error, OSError) else None
        reason = error.strerror if isinstance(error, OSError) else None
        raise ImageError(
            reason or str(error),
            expected="a folder that can be read",
            where=os.fsdecode(name) if name else str(folder),
            next="Give the root filesystem's folder, readable by you.",
        ) from error
    return Tree(tuple(sorted(scan.nodes, key=lambda node: node.path)), tuple(scan.notes))


class _Scan:
    def __init__(self, prefix: int) -> None:
        self._prefix = prefix
        self.nodes: list[Node] = []
        self.notes: list[str] = []

    def folder(self, full: bytes) -> None:
        with os.scandir(full) as entries:
            for entry in entries:
                self._entry(entry)

    def _entry(self, entry: os.DirEntry[bytes]) -> None:
        status = entry.stat(follow_symlinks=False)
        path = entry.path[self._prefix :]
        mode = status.st_mode
        if stat.S_ISREG(mode):
            content = partial(_read_file, entry.path, status.st_size)
            inode = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
            self.nodes.append(Node(path, mode, status.st_size, content, inode=inode))
        elif stat.S_ISDIR(mode):
            self.nodes.append(Node(path, mode))
            self.folder(entry.path)
        elif stat.S_ISLNK(mode):
            self.nodes.append(symlink_node(path, os.readlink(entry.path)))
        elif stat.S_ISSOCK(mode):
            self.notes.append(f"left out: {os.fsdecode(path)} is a socket")
        else:
            device = (os.major(status.st_rdev), os.minor(status.st_rdev))
            self.nodes.append(Node(path, mode, device=device))
        if not stat.S_ISLNK(mode):
            self._note_attributes(entry.path, path)

    def _note_attributes(self, full: bytes, path: bytes) -> None:
        try:
            names = os.listxattr(full, follow_symlinks=False)
        except OSError:
            return  # a file system without them
        # SELinux labels are the machine's, not the application's.
        names = [name for name in names if name != "security.selinux"]
        if names:
            self.notes.append(f"attributes dropped: {os.fsdecode(path)} has {', '.join(names)}")


def _read_file(full: bytes, size: int) -> Iterator[bytes]:
    fd = os.open(full, _OPEN)
    try:
        # One byte more than there should be: a file that grew is noticed, and an end costs no call.
        left = size + 1
        while left > 0 and (piece := os.read(fd, min(left, _PIECE))):
            left -= len(piece)
            yield piece
    finally:
        os.close(fd)
