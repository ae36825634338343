"""Tar archives, strictly: what `tarfile` would pass over in silence is refused, with its offset."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import IO, Final, cast

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import MAX_ENTRIES, MAX_TAR_HEADER

PIECE: Final = 1024 * 1024  # bytes read at a time
_BLOCK: Final = 512  # bytes, ustar


class _Guard(io.RawIOBase):
    """A file for `tarfile` that gives at most `MAX_TAR_HEADER` bytes without a step elsewhere.

    What `tarfile` reads on and on is the headers of one entry, in one piece or in many: it steps
    to each piece of content, and `restart` is called before each entry.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.restart()

    def restart(self) -> None:
        self._left = MAX_TAR_HEADER

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise ImageError(
                f"a tar record of {size} bytes",
                expected=f"at most {self._left} more for this entry (MAX_TAR_HEADER)",
                where=f"archive, byte {self.file.tell()}",
                next="No tool writes such a record: treat the archive as hostile.",
            )
        self._left -= size
        return self.file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.restart()
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def open_tar(file: IO[bytes]) -> tarfile.TarFile:
    """Open an uncompressed tar file whose headers are bounded. Raises `tarfile.TarError`."""
    return tarfile.TarFile(fileobj=_Guard(file), encoding="utf-8", errors="surrogateescape")


def tar_members(archive: tarfile.TarFile, name: str = "archive") -> Iterator[tarfile.TarInfo]:
    """Yield the entries of a tar, each after the one before it, at most `MAX_ENTRIES`.

    ``name`` is what an error calls the tar.
    Raises `ImageError`: for a header that is damaged, cut, or zero with more behind it; and where a
    negative size would lead `tarfile` back, and round and round.
    """
    count, place = 0, -1
    while (member := _next(archive, name)) is not None:
        count += 1
        if count > MAX_ENTRIES:
            raise _bad(name, f"more than {MAX_ENTRIES} entries", "at most MAX_ENTRIES")
        if member.size < 0 or member.offset <= place:
            raise _bad(
                f"{name}, byte {member.offset}", f"an entry of {member.size} bytes", "0 or more"
            )
        place = member.offset
        yield member
    _check_end(archive, name)


def _next(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo | None:
    cast("_Guard", archive.fileobj).restart()
    try:
        return archive.next()
    except tarfile.ReadError as error:
        raise _bad(f"{name}, byte {archive.offset}", str(error), _WANTED) from error


def _check_end(archive: tarfile.TarFile, name: str) -> None:
    """Refuse what follows the last entry, unless it is the end: zero bytes, or nothing.

    `tarfile` ends in silence at a header that is damaged, cut or zero (python/cpython #120740): all
    that follows would be missing without a word.
    """
    file, start = cast("_Guard", archive.fileobj).file, archive.offset
    size = file.seek(0, io.SEEK_END)
    if start > size:
        raise _bad(f"{name}, byte {size}", "the end of the archive", "the rest of an entry")
    file.seek(start)
    place = start
    while piece := file.read(PIECE):
        rest = piece.lstrip(b"\0")
        if rest:
            at = place + len(piece) - len(rest)
            found = _not_the_end(start, at, size)
            raise _bad(f"{name}, byte {at if at >= start + _BLOCK else start}", found, _WANTED)
        place += len(piece)


_WANTED: Final = "an entry's header, or zero bytes to the end"


def _not_the_end(start: int, at: int, size: int) -> str:
    if at >= start + _BLOCK:
        return f"more after the end of the archive at byte {start}"
    return "a header that is cut" if size - start < _BLOCK else "a header that is damaged"


def _bad(where: str, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=where,
        next="The archive is damaged: save the image again with its own tool.",
    )
