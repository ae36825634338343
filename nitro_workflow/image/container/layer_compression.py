"""Layers as they are stored: plain, gzip or zstd; unpacked in pieces, within a limit."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final, Protocol

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.tar_archive import PIECE
from nitro_workflow.image.format import MAX_UNPACKED

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = tuple(bytes([0x50 + n, 0x2A, 0x4D, 0x18]) for n in range(16))
# Others that tools write, and that OCI does not name.
_UNKNOWN: Final = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4"}
_NEXT: Final = (
    "`skopeo copy --dest-compress-format gzip oci:FOLDER oci:NEW` writes layers that are read."
)


def is_compressed(start: bytes) -> bool:
    """Tell whether bytes begin a compressed file that `unpack_to` reads."""
    return start.startswith((_GZIP, _ZSTD))


def unpack_to(stream: IO[bytes], target: IO[bytes], packed: Any = None, plain: Any = None) -> None:
    """Copy a stream, its compression undone, hashing before and after.

    Raises `ImageError` for another compression, a stream that is cut, or more than `MAX_UNPACKED`
    bytes.
    """
    written = 0
    for piece in _plain_pieces(stream, packed):
        written += len(piece)
        if written > MAX_UNPACKED:
            raise _bad(f"more than {MAX_UNPACKED} bytes unpacked", "at most MAX_UNPACKED")
        if plain is not None:
            plain.update(piece)
        target.write(piece)
    target.flush()
    target.seek(0)


def _plain_pieces(stream: IO[bytes], packed: Any) -> Iterator[bytes]:
    unpack: _Unpack | None = None
    first = True
    while piece := stream.read(PIECE):
        if packed is not None:
            packed.update(piece)
        if first:
            unpack = _unpacker(piece)
        first = False
        if unpack is None:
            yield piece
        else:
            yield from unpack.feed(piece)
    if unpack is not None:
        unpack.finish()


class _Unpack(Protocol):
    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece unpacks to, in pieces of at most `PIECE` bytes."""

    def finish(self) -> None:
        """Raise `ImageError` unless the stream is whole."""


def _unpacker(start: bytes) -> _Unpack | None:
    if start.startswith(_GZIP):
        return _Gzip()
    if start.startswith((_ZSTD, *_ZSTD_SKIPPABLE)):
        return _Zstd()
    for magic, name in _UNKNOWN.items():
        if start.startswith(magic):
            raise _bad(f"a layer compressed with {name}", "tar, plain, gzip or zstd")
    return None


class _Gzip:
    """Gzip members one after the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._member.eof:
                piece = piece.lstrip(b"\0")
                if not piece:
                    return
                self._member = zlib.decompressobj(wbits=31)
            try:
                data = self._member.decompress(piece, PIECE)
            except zlib.error as error:
                raise _bad(f"gzip that does not unpack: {error}", "gzip") from error
            yield data
            piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        if not self._member.eof:
            raise _bad("gzip that is cut", "a whole gzip stream")


class _Zstd:
    """Zstandard frames one after the other, those that are skipped too (RFC 8878 §3.1).

    The window is at most 128 MiB, the library's own limit.
    """

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        self._new, self._error = zstd.ZstdDecompressor, zstd.ZstdError
        self._frame = self._new()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        while piece or not (self._frame.eof or self._frame.needs_input):
            if self._frame.eof:
                self._frame = self._new()
            try:
                data = self._frame.decompress(piece, PIECE)
            except self._error as error:
                raise _bad(f"zstd that does not unpack: {error}", "zstd") from error
            yield data
            piece = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        if not self._frame.eof:
            raise _bad("zstd that is cut", "a whole zstd stream")


def _bad(found: str, expected: str) -> ImageError:
    return ImageError(found, expected=expected, where="layer", next=_NEXT)
