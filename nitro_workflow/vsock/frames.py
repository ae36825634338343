"""Messages over a stream: length-framed, with limits, and never taking a cut for an end.

A frame is a 32-bit big-endian length and so many bytes. A stream of chunks is a sequence of
frames that a frame of length zero ends; a connection that closes before it was *cut*, and what
came so far is not the whole.
"""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any, Final, Protocol

from nitro_workflow.errors import FrameError, VsockError

if TYPE_CHECKING:
    import socket

__all__ = [
    "CHUNK_SIZE",
    "FRAME_LIMIT",
    "StreamReader",
    "recv_frame",
    "recv_json",
    "send_frame",
    "send_json",
    "write_stream",
]

FRAME_LIMIT: Final = 1 << 20
"""Bytes of a frame unless the receiver says otherwise: a receipt and a result fit many times."""

CHUNK_SIZE: Final = 256 * 1024
"""Bytes of a chunk as `write_stream` cuts them; a receiver takes up to `FRAME_LIMIT`."""

_LENGTH: Final = struct.Struct(">I")


class Reader(Protocol):
    """Anything with ``read(n) -> bytes``, empty at the end."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes."""


def send_frame(sock: socket.socket, payload: bytes) -> None:
    """Send one frame; raises `VsockError` when the connection is cut."""
    if len(payload) > 0xFFFFFFFF:
        raise FrameError(f"{len(payload)} bytes", expected="< 4 GiB", where="frame")
    try:
        sock.sendall(_LENGTH.pack(len(payload)) + payload)
    except OSError as error:
        raise _cut(error) from error


def recv_frame(sock: socket.socket, limit: int = FRAME_LIMIT) -> bytes:
    """Return the next frame of at most ``limit`` bytes.

    Raises `FrameError` for a longer one, `VsockError` when the connection ends (``code`` is
    ``EndOfConnection`` between two frames, ``VsockError`` inside one).
    """
    return _exactly(sock, _length(sock, limit))


def send_json(sock: socket.socket, value: Any) -> None:
    """Send ``value`` as a frame of compact JSON."""
    send_frame(sock, json.dumps(value, separators=(",", ":"), allow_nan=False).encode())


def recv_json(sock: socket.socket, limit: int = FRAME_LIMIT) -> dict[str, Any]:
    """Return the next frame, a JSON object; raises `FrameError` for anything else."""
    data = recv_frame(sock, limit)
    try:
        value = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FrameError(
            f"not JSON ({error})"[:160], expected="a JSON object", where="frame"
        ) from error
    if not isinstance(value, dict):
        raise FrameError(f"JSON {type(value).__name__}", expected="a JSON object", where="frame")
    return value


def write_stream(sock: socket.socket, reader: Reader, chunk: int = CHUNK_SIZE) -> int:
    """Send all that ``reader`` gives in chunks, then the end; return the number of bytes.

    When ``reader`` raises, no end is sent: the receiver sees a cut, never a short whole.
    """
    total = 0
    while data := reader.read(chunk):
        send_frame(sock, data)
        total += len(data)
    send_frame(sock, b"")
    return total


class StreamReader(io.RawIOBase):
    """A chunk stream as a file: ``read(n)`` gives 1 to ``n`` bytes, ``b""`` at the end.

    Raises `VsockError` when the connection is cut before the end, `FrameError` for a chunk above
    ``chunk_limit`` or a stream above ``limit`` bytes (no limit if None).
    """

    def __init__(
        self, sock: socket.socket, *, limit: int | None = None, chunk_limit: int = FRAME_LIMIT
    ) -> None:
        super().__init__()
        self._sock = sock
        self._limit = limit
        self._chunk_limit = chunk_limit
        self._left = 0  # bytes of the present chunk that are still to come
        self.total = 0
        self.ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill ``buffer`` with what comes next; 0 at the end."""
        view = memoryview(buffer).cast("B")
        if self.ended or not view:
            return 0
        if self._left == 0 and not self._next_chunk():
            return 0
        count = _receive_into(self._sock, view[: self._left])
        if count == 0:
            raise _ended_inside(f"{self.total} bytes of a stream")
        self._left -= count
        self.total += count
        return count

    def _next_chunk(self) -> bool:
        try:
            self._left = _length(self._sock, self._chunk_limit)
        except VsockError as error:
            raise _ended_inside(f"{self.total} bytes of a stream") from error
        self.ended = self._left == 0
        if self._limit is not None and self.total + self._left > self._limit:
            raise FrameError(
                f"more than {self._limit} bytes", expected=f"≤ {self._limit} bytes", where="stream"
            )
        return not self.ended


def _length(sock: socket.socket, limit: int) -> int:
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size, between=True))
    if length > limit:
        raise FrameError(
            f"a frame of {length} bytes",
            expected=f"≤ {limit} bytes",
            where="frame",
            next="close it",
        )
    return int(length)


def _exactly(sock: socket.socket, size: int, *, between: bool = False) -> bytes:
    buffer = bytearray(size)
    view, done = memoryview(buffer), 0
    while done < size:
        count = _receive_into(sock, view[done:])
        if count == 0:
            if between and done == 0:
                raise VsockError(
                    "the other side closed the connection", where="vsock", code="EndOfConnection"
                )
            raise _ended_inside(f"{done} of {size} bytes")
        done += count
    return bytes(buffer)


def _receive_into(sock: socket.socket, view: memoryview) -> int:
    try:
        return sock.recv_into(view)
    except OSError as error:
        raise _cut(error) from error


def _cut(error: OSError) -> VsockError:
    return VsockError(
        f"the connection broke ({error.strerror or type(error).__name__})",
        expected="a whole message",
        where="vsock",
        next="see why the other side ended; the step can be run again",
    )


def _ended_inside(what: str) -> VsockError:
    return VsockError(
        f"the connection was cut after {what}",
        expected="the rest",
        where="vsock",
        next="see why the other side ended; the step can be run again",
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value
