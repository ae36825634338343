"""``aws-chunked`` bodies: chunks inside HTTP, a trailer with a checksum, chunk signatures.

Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring
Payload in Multiple Chunks" and "… including trailing headers".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = ["ChunkDecoder", "ChunkSigner"]

_MAX_LINE = 1_024  # bytes of a chunk header or a trailer line: a size, a signature, a checksum
_MAX_TRAILERS = 16
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(slots=True)
class ChunkSigner:
    """Checks the chain of chunk signatures that starts at the request's own signature."""

    key: bytes
    timestamp: str
    scope: str
    previous: str

    def check(self, stated: str, chunk_sha256: str) -> None:
        """Compare one chunk's signature.

        Raises:
            ServiceFault: SignatureDoesNotMatch.
        """
        parts = ("AWS4-HMAC-SHA256-PAYLOAD", self.timestamp, self.scope, self.previous, _EMPTY)
        text = "\n".join((*parts, chunk_sha256))
        expected = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, stated):
            raise ServiceFault("SignatureDoesNotMatch", "A chunk's signature does not match.", 403)
        self.previous = expected


@dataclass(slots=True)
class ChunkDecoder:
    """Takes an ``aws-chunked`` body in pieces of any size and yields the content.

    `done` is true when the last chunk and the trailers have been read; a body that ends before is
    cut. Memory is bounded: only an unfinished line is kept.
    """

    signer: ChunkSigner | None = None
    trailers: dict[str, str] = field(default_factory=dict)
    done: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    _left: int = 0
    _state: str = "size"
    _signature: str = ""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the content bytes that `data` completes.

        Raises:
            ServiceFault: framing that is not aws-chunked, or a chunk signature that fails.
        """
        self._buffer += data
        while self._buffer and not self.done:
            if self._state == "data":
                piece = bytes(self._buffer[: self._left])
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                self._digest.update(piece)
                yield piece
                if not self._left:
                    self._state = "end"
                continue
            line = self._line()
            if line is None:
                return
            self._read_line(line)

    def _line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_LINE:
                raise _bad("a line without an end")
            return None
        line = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 2]
        return line

    def _read_line(self, line: str) -> None:
        if self._state == "size":
            self._read_size(line)
        elif self._state == "end":
            if line:
                raise _bad("a chunk longer than its size")
            self._close_chunk()
            self._state = "size"
        elif line:
            name, _, value = line.partition(":")
            if len(self.trailers) >= _MAX_TRAILERS:
                raise _bad("too many trailers")
            self.trailers[name.strip().lower()] = value.strip()
        else:
            self.done = True

    def _read_size(self, line: str) -> None:
        size, _, extension = line.partition(";")
        self._signature = extension.partition("chunk-signature=")[2]
        try:
            self._left = int(size, 16)
        except ValueError:
            raise _bad("a chunk size that is no hexadecimal number") from None
        if self._left < 0:
            raise _bad("a negative chunk size")
        self._digest = hashlib.sha256()
        if self._left:
            self._state = "data"
        else:
            self._close_chunk()
            self._state = "trailer"

    def _close_chunk(self) -> None:
        if self.signer is not None:
            self.signer.check(self._signature, self._digest.hexdigest())


def _bad(what: str) -> ServiceFault:
    return ServiceFault("InvalidRequest", f"The aws-chunked body is not valid: {what}.")
