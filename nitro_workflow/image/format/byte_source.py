"""Bytes to read at an offset: a path, a descriptor or a file object, never moved, bounded.

Positions are not shared, so several readers can walk one image at once.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from nitro_workflow.errors import ImageError

Progress: TypeAlias = "Callable[[int, int], None]"  # bytes done, bytes in all
Readable: TypeAlias = "str | os.PathLike[str] | int | BinaryIO"


class Source(Protocol):
    """What the readers need: the size in bytes and reads at an offset."""

    size: int

    def read_at(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``; fewer only at the end."""

    def read_exactly(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes; raises `ImageError` when the file has become shorter."""

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Fill the buffer from ``offset``; raises `ImageError` when the file has become shorter."""

    def close(self) -> None:
        """Close what was opened for this source."""


def open_source(source: Readable) -> Source:
    """Open a path, or take a descriptor or file object as it is. Raises `ImageError`."""
    if isinstance(source, int):
        return FileSource(source, owned=False)
    if isinstance(source, (str, os.PathLike)):
        return FileSource(_open_path(Path(source)), owned=True, name=os.fspath(source))
    try:
        return FileSource(source.fileno(), owned=False)
    except (OSError, AttributeError):
        return MemorySource(_all_bytes(source))


def _open_path(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(
            error.strerror or str(error),
            expected="a readable file",
            where=str(path),
            next="Check the path and its permissions.",
        ) from error


def _all_bytes(stream: BinaryIO) -> bytes:
    if isinstance(stream, io.BytesIO):
        return stream.getvalue()
    return stream.read()


class FileSource:
    """A regular file or memfd by its descriptor, read with ``pread``."""

    __slots__ = ("_name", "_owned", "fd", "size")

    def __init__(self, fd: int, *, owned: bool, name: str = "") -> None:
        self.fd = fd
        self._owned = owned
        self._name = name or f"descriptor {fd}"
        try:
            self.size = self._regular_size()
        except ImageError:
            self.close()
            raise

    def _regular_size(self) -> int:
        import stat

        try:
            status = os.fstat(self.fd)
        except OSError as error:
            raise ImageError(
                error.strerror or str(error),
                expected="an open file",
                where=self._name,
                next="Open the file before reading it.",
            ) from error
        if not stat.S_ISREG(status.st_mode):
            folder = stat.S_ISDIR(status.st_mode)
            raise ImageError(
                "a folder" if folder else f"not a regular file, {stat.filemode(status.st_mode)}",
                expected="a regular file",
                where=self._name,
                next="Give the image as a file; folders, pipes and devices cannot be read.",
            )
        return status.st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Source`."""
        return os.pread(self.fd, count, offset)

    def read_exactly(self, offset: int, count: int) -> bytes:
        """See `Source`."""
        data = os.pread(self.fd, count, offset)
        if len(data) == count:
            return data
        whole = bytearray(count)
        self.fill(offset, memoryview(whole))
        return bytes(whole)

    def fill(self, offset: int, buffer: memoryview) -> None:
        """See `Source`."""
        done = 0
        while done < len(buffer):
            got = os.preadv(self.fd, [buffer[done:]], offset + done)
            if got == 0:
                raise _shrunk(offset + done)
            done += got

    def close(self) -> None:
        """Close the file if this source opened it."""
        if self._owned:
            os.close(self.fd)
            self._owned = False


class MemorySource:
    """Bytes that are already in memory."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.size = len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Source`."""
        return bytes(self._data[offset : offset + count])

    def read_exactly(self, offset: int, count: int) -> bytes:
        """See `Source`."""
        if offset + count > self.size:
            raise _shrunk(self.size)
        return self.read_at(offset, count)

    def fill(self, offset: int, buffer: memoryview) -> None:
        """See `Source`."""
        if offset + len(buffer) > self.size:
            raise _shrunk(self.size)
        buffer[:] = self._data[offset : offset + len(buffer)]

    def close(self) -> None:
        """Nothing was opened."""


def _shrunk(position: int) -> ImageError:
    return ImageError(
        "the file ended while it was being read",
        expected="a file that nobody changes meanwhile",
        where=f"byte {position}",
        next="Copy the image to a place of your own and try again.",
    )
