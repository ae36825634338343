"""A ramdisk as a stream of bytes: plain, or gzip as some builders make it, within limits."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import MAX_UNPACKED

if TYPE_CHECKING:
    from nitro_workflow.image.format import Source
    from nitro_workflow.image.ramdisk.cpio import Stream

WINDOW: Final = 1024 * 1024  # bytes read at a time

# How other compressions begin (Linux lib/decompress.c); they are named, not read.
_COMPRESSED: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x89LZO": "lzo",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class WindowStream:
    """Bytes from a source between two offsets, read a window at a time; see `cpio.Stream`."""

    __slots__ = ("_at", "_buffer", "_end", "_next", "_source", "position")

    def __init__(self, source: Source, offset: int, size: int) -> None:
        self._source = source
        self._next = offset
        self._end = offset + size
        self._buffer = b""
        self._at = 0
        self.position = 0

    def take(self, count: int) -> bytes:
        """See `cpio.Stream`."""
        at = self._at
        if at + count > len(self._buffer):
            self._refill(count)
            at = 0
            if count > len(self._buffer):
                raise cut(self.position, count, len(self._buffer))
        self._at = at + count
        self.position += count
        return self._buffer[at : at + count]

    def peek(self, count: int) -> bytes:
        """See `cpio.Stream`."""
        if self._at + count > len(self._buffer):
            self._refill(count)
        return self._buffer[self._at : self._at + count]

    def skip(self, count: int) -> None:
        """See `cpio.Stream`."""
        if self._at + count <= len(self._buffer):
            self._at += count
            self.position += count
            return
        beyond = count - (len(self._buffer) - self._at)
        if beyond > self._end - self._next:
            raise cut(self.position, count, count - beyond + self._end - self._next)
        self._next += beyond
        self._buffer, self._at = b"", 0
        self.position += count

    def _refill(self, count: int) -> None:
        kept = self._buffer[self._at :]
        wanted = min(max(WINDOW, count - len(kept)), self._end - self._next)
        self._buffer = kept + self._source.read_exactly(self._next, wanted)
        self._next += wanted
        self._at = 0


class GzipStream:
    """A gzip ramdisk, decompressed as it is read, up to ``limit`` bytes; see `cpio.Stream`.

    Members may follow each other. What is unpacked is never held whole.
    """

    __slots__ = ("_buffer", "_inflate", "_limit", "_produced", "_raw", "position")

    def __init__(self, raw: WindowStream, limit: int) -> None:
        self._raw = raw
        self._limit = limit
        self._inflate = zlib.decompressobj(wbits=31)
        self._buffer = bytearray()
        self._produced = 0
        self.position = 0

    def take(self, count: int) -> bytes:
        """See `cpio.Stream`."""
        self._want(count)
        if len(self._buffer) < count:
            raise cut(self.position, count, len(self._buffer))
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self.position += count
        return data

    def peek(self, count: int) -> bytes:
        """See `cpio.Stream`."""
        self._want(count)
        return bytes(self._buffer[:count])

    def skip(self, count: int) -> None:
        """See `cpio.Stream`."""
        while count > 0:
            step = min(count, WINDOW)
            self._want(step)
            if not self._buffer:
                raise cut(self.position, count, 0)
            step = min(step, len(self._buffer))
            del self._buffer[:step]
            self.position += step
            count -= step

    def _want(self, count: int) -> None:
        while len(self._buffer) < count:
            data = self._inflate_more()
            if not data:
                return
            self._produced += len(data)
            if self._produced > self._limit:
                raise ImageError(
                    f"more than {self._limit} bytes after decompression",
                    expected="at most MAX_UNPACKED",
                    where=f"gzip ramdisk, unpacked byte {self._produced}",
                    next="A ramdisk of this size cannot boot; treat the image as hostile.",
                )
            self._buffer += data

    def _inflate_more(self) -> bytes:
        while True:
            if self._inflate.eof:
                pending = self._next_member()
                if not pending:
                    return b""
            else:
                pending = self._inflate.unconsumed_tail or self._next_raw()
                if not pending:
                    raise cut(self._produced, 1, 0)  # the stream's own end is missing
            data = self._decompress(pending)
            if data:
                return data

    def _next_member(self) -> bytes:
        """Return what follows a member, zero bytes left out, and start another one for it."""
        pending = self._inflate.unused_data.lstrip(b"\0")
        while not pending and (raw := self._next_raw()):
            pending = raw.lstrip(b"\0")
        if pending:
            self._inflate = zlib.decompressobj(wbits=31)
        return pending

    def _next_raw(self) -> bytes:
        raw = self._raw.peek(WINDOW)
        self._raw.skip(len(raw))
        return raw

    def _decompress(self, pending: bytes) -> bytes:
        try:
            return self._inflate.decompress(pending, WINDOW)
        except zlib.error as error:
            raise ImageError(
                f"gzip data that does not unpack: {error}",
                expected="a gzip stream",
                where=f"ramdisk, unpacked byte {self._produced}",
                next="The ramdisk is damaged: build the image again.",
            ) from error


def open_stream(source: Source, offset: int, size: int, *, limit: int = MAX_UNPACKED) -> Stream:
    """Return the unpacked bytes of a ramdisk of ``size`` bytes at ``offset`` of the source.

    Raises `ImageError` for a compression that is not read.
    """
    raw = WindowStream(source, offset, size)
    start = raw.peek(6)
    if start.startswith(b"\x1f\x8b"):
        return GzipStream(raw, limit)
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise ImageError(
                f"a ramdisk compressed with {name}",
                expected="newc cpio, plain (as nitro-cli's) or gzip",
                where=f"ramdisk data, byte {offset}",
                next=f"Unpack it with {name} and look at it with cpio; its PCRs can be measured.",
            )
    return raw


def cut(position: int, wanted: int, there: int) -> ImageError:
    """Return the error for a ramdisk that ends too early (bytes)."""
    return ImageError(
        f"{there} bytes left",
        expected=f"{wanted} bytes",
        where=f"ramdisk, byte {position}",
        next="The ramdisk is cut: build the image again.",
    )
