"""The files of a ramdisk as a tree with sizes: listed once, asked for row by row.

Paths come from whoever built the image; bytes of a file are read when somebody opens it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nitro_workflow.errors import ImageError, UsageError
from nitro_workflow.image import Image, RamdiskEntry, ramdisk_entries

__all__ = ["FileRow", "RamdiskIndex", "TreeRow", "index_of", "path_of", "read_files"]

MAX_LISTED: Final = 200_000
"""Entries of one ramdisk that are listed; of a larger one the rest is counted as left out."""
MAX_UNPACKED: Final = 2 * 1024**3
"""Bytes of a ramdisk, unpacked, that are walked through to list it."""
MAX_OPENED: Final = 1024**2
"""Bytes of a file that are read when it is opened."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One entry of a ramdisk; ``size`` in bytes, ``target`` of a link."""

    path: str
    kind: str
    size: int
    mode: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One visible line of the tree; a folder's ``size`` and ``files`` are of all that is in it.

    ``key`` names it in a question, whatever its path is: that one is shown, and may be escaped.
    """

    key: str
    path: str
    name: str
    depth: int
    kind: str
    size: int
    files: int
    mode: str
    target: str
    open: bool


@dataclass(slots=True)
class _Folder:
    size: int = 0
    files: int = 0
    folders: dict[str, _Folder] = field(default_factory=dict)
    entries: dict[str, FileRow] = field(default_factory=dict)


class RamdiskIndex:
    """What a ramdisk holds. ``problem`` says why not all of it is listed."""

    def __init__(self, number: int, rows: Iterable[FileRow], problem: str = "") -> None:
        self.number = number
        self.problem = problem
        self.rows = tuple(rows)
        self._root = _Folder()
        for row in self.rows:
            self._place(row)

    @property
    def files(self) -> int:
        """How many files and links there are."""
        return self._root.files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self._root.size

    def _place(self, row: FileRow) -> None:
        if row.path == ".":
            return
        *parents, name = row.path.split("/")
        folder = self._root
        counted = row.kind != "directory"
        chain = [folder]
        for part in parents:
            folder = folder.folders.setdefault(part, _Folder())
            chain.append(folder)
        if not counted:
            folder.folders.setdefault(name, _Folder())
        for one in chain if counted else ():
            one.size += row.size
            one.files += 1
        folder.entries[name] = row

    def visible(self, opened: frozenset[str], search: str = "") -> list[TreeRow]:
        """Return the lines of the tree with these folders open; of a search, what matches, flat."""
        if search:
            wanted = search.casefold()
            return [_found(row) for row in self.rows if wanted in row.path.casefold()]
        return list(self._walk(self._root, "", 0, opened))

    def _walk(
        self, folder: _Folder, prefix: str, depth: int, opened: frozenset[str]
    ) -> Iterator[TreeRow]:
        pending = [iter(_children(folder, prefix, depth, opened))]
        while pending:  # a path may have 2,000 parts: no recursion
            line = next(pending[-1], None)
            if line is None:
                pending.pop()
                continue
            row, inner = line
            yield row
            if inner is not None and row.open:
                pending.append(iter(_children(inner, f"{row.path}/", row.depth + 1, opened)))

    def top(self, depth: int) -> list[tuple[str, int, int]]:
        """Return (folder, files, bytes) at a depth, the largest first; shallower files together."""
        found: dict[str, list[int]] = {}
        for row in self.rows:
            if row.kind == "directory":
                continue
            parts = row.path.split("/")
            name = "/".join(parts[:depth]) if len(parts) > depth else "single files"
            sums = found.setdefault(name, [0, 0])
            sums[0] += 1
            sums[1] += row.size
        pairs = ((name, files, size) for name, (files, size) in found.items())
        return sorted(pairs, key=lambda one: -one[2])

    def largest(self, count: int) -> list[FileRow]:
        """Return the largest files."""
        return sorted(self.rows, key=lambda row: -row.size)[:count]


def _children(
    folder: _Folder, prefix: str, depth: int, opened: frozenset[str]
) -> Iterator[tuple[TreeRow, _Folder | None]]:
    for name in sorted({*folder.folders, *folder.entries}):
        path, inner, row = f"{prefix}{name}", folder.folders.get(name), folder.entries.get(name)
        mode, key = f"{row.mode:04o}" if row else "", key_of(path)
        if inner is not None:
            size, files = inner.size, inner.files
            opened_ = path in opened
            yield (
                TreeRow(key, path, name, depth, "directory", size, files, mode, "", opened_),
                inner,
            )
        elif row is not None:
            line = TreeRow(key, path, name, depth, row.kind, row.size, 1, mode, row.target, False)
            yield line, None


def _found(row: FileRow) -> TreeRow:
    key, mode = key_of(row.path), f"{row.mode:04o}"
    return TreeRow(key, row.path, row.path, 0, row.kind, row.size, 1, mode, row.target, False)


def key_of(path: str) -> str:
    """Return a path as it travels to a browser and back: hexadecimal."""
    return os.fsencode(path).hex()


def path_of(key: str) -> str:
    """Return the path of a key. Raises `UsageError` for a text that is none."""
    try:
        return os.fsdecode(bytes.fromhex(key))
    except ValueError:
        raise UsageError(f"the key {key[:80]!r}", expected="a key of a row", where="path") from None


def index_of(image: Image, number: int) -> RamdiskIndex:
    """Return what a ramdisk holds, as far as it can be read. Raises nothing for its content."""
    rows: list[FileRow] = []
    problem = ""
    try:
        for entry in ramdisk_entries(image, number):
            if len(rows) >= MAX_LISTED or entry.offset > MAX_UNPACKED:
                problem = f"only the first {len(rows):,} entries are listed"
                break
            rows.append(_row(entry))
    except ImageError as error:
        problem = f"{error.found}, at {error.where}"
    return RamdiskIndex(number, rows, problem)


def _row(entry: RamdiskEntry) -> FileRow:
    target = entry.target or (f"same file as {entry.link_of}" if entry.link_of else "")
    return FileRow(entry.path, entry.kind, entry.size, entry.mode, target)


def read_files(image: Image, number: int, paths: frozenset[str]) -> dict[str, bytes]:
    """Return the beginnings of files, at most `MAX_OPENED` bytes each; the last of a name wins.

    What is no file there is left out. Raises `ImageError` where the ramdisk cannot be read.
    """
    found: dict[str, bytes] = {}
    for entry in ramdisk_entries(image, number):
        if entry.offset > MAX_UNPACKED:
            break
        if entry.path in paths and entry.kind == "file":
            found[entry.path] = _beginning(entry)
    return found


def _beginning(entry: RamdiskEntry) -> bytes:
    pieces, left = [], MAX_OPENED
    for piece in entry.data():
        pieces.append(piece[:left])
        left -= len(pieces[-1])
        if left <= 0:
            break
    return b"".join(pieces)
