"""Write a ramdisk's files into a folder, and nowhere else.

Every parent of what is written is a folder made by this very run (or the target), never a link: an
entry below a link is refused, so no name in the archive can lead outside. Devices, sockets and
FIFOs are not made but reported; set-user-id bits are dropped; owners and times are not set. Only
the standard library is imported here: the sandbox's bootstrap unpacks images with this module.
"""

# ruff: noqa: PTH101, PTH102, PTH108, PTH211 - thousands of small files: Path objects cost a third of the time
from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import MAX_UNPACKED
from nitro_workflow.image.ramdisk.ramdisk_entry import RamdiskEntry, ramdisk_entries

if TYPE_CHECKING:
    from nitro_workflow.image.format import Image

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS: Final = 0o1777  # set-user-id and set-group-id are not given to files of an archive


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What `unpack_ramdisk` wrote: counts, bytes of content, and the paths it left out."""

    files: int
    folders: int
    links: int
    content_bytes: int
    left_out: tuple[str, ...]  # devices, FIFOs and sockets


def unpack_ramdisk(
    image: Image,
    index: int,
    target: Path,
    *,
    limit: int = MAX_UNPACKED,
    progress: Callable[[int, int], None] | None = None,
) -> Unpacked:
    """Unpack ramdisk ``index`` into ``target``, an empty or new folder.

    ``limit`` is in bytes of content; ``progress(done, total)`` gets bytes of the ramdisk. Raises
    `ImageError`; what was written until then stays in the target, for the caller to remove.
    """
    entries = ramdisk_entries(image, index)
    total = image.ramdisks[index].size
    return unpack_entries(entries, target, limit=limit, progress=progress, total=total)


def unpack_entries(
    entries: Iterable[RamdiskEntry],
    target: Path,
    *,
    limit: int = MAX_UNPACKED,
    progress: Callable[[int, int], None] | None = None,
    total: int = 0,
) -> Unpacked:
    """Unpack entries into ``target``, as `unpack_ramdisk` does."""
    writer = _Writer(_empty_folder(target), limit)
    for entry in entries:
        writer.write(entry)
        if progress is not None:
            progress(entry.offset, total)
    return writer.finish()


def _empty_folder(target: Path) -> str:
    try:
        target.mkdir(mode=0o755, exist_ok=True)
        if any(target.iterdir()):
            raise ImageError(
                "a folder that is not empty",
                expected="an empty or new folder",
                where=str(target),
                next="Give the name of a new folder.",
            )
        return str(target.resolve(strict=True))
    except OSError as error:
        raise _system(error, str(target)) from error


class _Writer:
    """The state of one unpacking: which paths this run made, and as what."""

    def __init__(self, root: str, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._folders: dict[str, int] = {".": 0o755}  # path -> mode, set at the end
        self._others: dict[str, str] = {}  # path -> kind
        self._left_out: list[str] = []
        self._bytes = 0
        self._make: dict[str, Callable[[RamdiskEntry, str], None]] = {
            "file": self._file,
            "symlink": self._symlink,
        }

    def write(self, entry: RamdiskEntry) -> None:
        if entry.kind == "directory":
            self._folder(entry)
            return
        make = self._make.get(entry.kind)
        if make is None:
            self._left_out.append(entry.path)
            return
        if entry.path in self._folders:
            raise _conflict(entry, "a folder")
        self._parents(entry)
        full = f"{self._root}/{entry.path}"
        try:
            if entry.path in self._others and entry.link_of is None:
                os.unlink(full)  # as Linux does: the later entry of a name wins
            make(entry, full)
        except OSError as error:
            raise _system(error, entry.path) from error
        self._others[entry.path] = entry.kind

    def finish(self) -> Unpacked:
        # Deepest first: a folder that may not be written to must not stop what goes into it.
        for path in sorted(self._folders, reverse=True):
            if self._folders[path] != 0o755:
                os.chmod(f"{self._root}/{path}", self._folders[path])
        kinds = list(self._others.values())
        return Unpacked(
            files=kinds.count("file"),
            folders=len(self._folders) - 1,
            links=kinds.count("symlink"),
            content_bytes=self._bytes,
            left_out=tuple(self._left_out),
        )

    def _folder(self, entry: RamdiskEntry) -> None:
        if entry.path in self._others:
            raise _conflict(entry, f"a {self._others[entry.path]}")
        if entry.path not in self._folders:
            self._parents(entry)
            self._mkdir(entry.path)
        self._folders[entry.path] = entry.mode & _PERMISSIONS

    def _parents(self, entry: RamdiskEntry) -> None:
        parent = entry.path.rpartition("/")[0] or "."
        if parent in self._folders:
            return
        missing = []
        while parent not in self._folders:
            if parent in self._others:
                raise _conflict(entry, f"{parent!r}, a {self._others[parent]}")
            missing.append(parent)
            parent = parent.rpartition("/")[0] or "."
        for path in reversed(missing):
            self._mkdir(path)
            self._folders[path] = 0o755

    def _mkdir(self, path: str) -> None:
        full = f"{self._root}/{path}"
        try:
            os.mkdir(full, 0o755)
            os.chmod(full, 0o755)  # noqa: S103 - a folder of the archive, whatever the umask
        except OSError as error:
            raise _system(error, path) from error

    def _file(self, entry: RamdiskEntry, full: str) -> None:
        self._bytes += entry.size
        if self._bytes > self._limit:
            raise ImageError(
                f"more than {self._limit} bytes of content",
                expected="at most MAX_UNPACKED, or the limit given",
                where=entry.path,
                next="Treat the image as hostile, or give a higher limit.",
            )
        if entry.link_of is not None and self._linked(entry, full):
            return
        fd = os.open(full, _NEW_FILE, 0o600)
        try:
            for piece in entry.data():
                _write_all(fd, piece)
            os.fchmod(fd, entry.mode & _PERMISSIONS)
        finally:
            os.close(fd)

    def _linked(self, entry: RamdiskEntry, full: str) -> bool:
        """Make the hard link; some writers give the content with the last name only."""
        first = entry.link_of or ""
        if self._others.get(first) != "file":
            return False  # the first name was since replaced: the entry stands for itself
        if entry.path in self._others:
            os.unlink(full)
        os.link(f"{self._root}/{first}", full, follow_symlinks=False)
        if entry.size:
            with contextlib.closing(_Descriptor(full)) as file:
                for piece in entry.data():
                    _write_all(file.fd, piece)
        return True

    def _symlink(self, entry: RamdiskEntry, full: str) -> None:
        os.symlink(entry.target or "", full)


class _Descriptor:
    """A file of ours opened again for writing, emptied, never through a link."""

    def __init__(self, full: str) -> None:
        self.fd = os.open(full, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self.fd)


def _write_all(fd: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


def _conflict(entry: RamdiskEntry, found: str) -> ImageError:
    return ImageError(
        f"{entry.kind} {entry.path!r} in the place of or below {found}",
        expected="each path used as one kind of thing, and parents that are folders",
        where=f"entry at byte {entry.offset}",
        next="Such an archive is made by hand to write elsewhere: do not trust where it came from.",
    )


def _system(error: OSError, where: str) -> ImageError:
    return ImageError(
        error.strerror or str(error),
        expected="to write into the target folder",
        where=where,
        next="Check space and permissions of the target; start again with a new folder.",
    )
