"""``aws-chunked`` bodies: chunks inside HTTP, trailers with a checksum, signatures of both.

Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring
Payload in Multiple Chunks" and "… including trailing headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = ["ChunkDecoder", "ChunkSigner"]

_MAX_LINE = 1_024  # bytes of a chunk header or a trailer line: a size, a signature, a checksum
_MAX_TRAILERS = 16
_MIN_CHUNK = 8_192  # bytes of every chunk but the last (S3 API Reference, sigv4-streaming)
_EMPTY = hashlib.sha256(b"").hexdigest()
_SIZE = re.compile(r"[0-9a-fA-F]{1,16}", re.ASCII)
_SIGNATURE = "x-amz-trailer-signature"


@dataclass(slots=True)
class ChunkSigner:
    """Checks the chain of signatures that starts at the request's own one.

    `with_trailer` says that the chain ends with a signature of the trailers.
    """

    key: bytes
    timestamp: str
    scope: str
    previous: str
    with_trailer: bool = False

    def check(self, stated: str, chunk_sha256: str) -> None:
        """Compare one chunk's signature.

        Raises `ServiceFault`: SignatureDoesNotMatch.
        """
        self._compare(stated, "AWS4-HMAC-SHA256-PAYLOAD", _EMPTY, chunk_sha256, what="A chunk")

    def check_trailer(self, stated: str, lines: str) -> None:
        """Compare the signature of the trailers (each ``name:value`` and a newline).

        Raises `ServiceFault`: SignatureDoesNotMatch.
        """
        digest = hashlib.sha256(lines.encode("latin-1")).hexdigest()
        self._compare(stated, "AWS4-HMAC-SHA256-TRAILER", digest, what="The trailer")

    def _compare(self, stated: str, kind: str, *digests: str, what: str) -> None:
        text = "\n".join((kind, self.timestamp, self.scope, self.previous, *digests))
        expected = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), stated.encode("latin-1")):
            raise ServiceFault("SignatureDoesNotMatch", f"{what}'s signature does not match.", 403)
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
    _number: int = 0
    _last_size: int = 0
    _state: str = "size"
    _signature: str = ""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def feed(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """Yield the content bytes that `data` completes; of a memoryview, views where it can be.

        Raises `ServiceFault`: framing that is not aws-chunked, or a signature that fails.
        """
        if self._state == "data" and not self._buffer:
            # The middle of a chunk, as most of a large body is: handed on without a copy.
            piece = data[: self._left]
            data = data[len(piece) :]
            yield self._taken(piece)
        self._buffer += data
        while self._buffer:
            if self.done:
                raise _bad("bytes behind its end")
            if self._state == "data":
                yield self._piece()
                continue
            line = self._line()
            if line is None:
                return
            self._read_line(line)

    def _piece(self) -> bytes | memoryview:
        with memoryview(self._buffer) as view:
            piece = bytes(view[: self._left])
        del self._buffer[: len(piece)]
        return self._taken(piece)

    def _taken(self, piece: bytes | memoryview) -> bytes | memoryview:
        """Return content of the chunk that is being read, counted and digested."""
        self._left -= len(piece)
        if self.signer is not None:
            self._digest.update(piece)
        if not self._left:
            self._state = "end"
        return piece

    def _line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end > _MAX_LINE or (end < 0 and len(self._buffer) > _MAX_LINE):
            raise _bad("a line without an end")
        if end < 0:
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
            self._read_trailer(line)
        else:
            self._close_trailer()
            self.done = True

    def _read_size(self, line: str) -> None:
        size, _, extension = line.partition(";")
        self._signature = extension.partition("chunk-signature=")[2]
        if not _SIZE.fullmatch(size.strip()):
            raise _bad("a chunk size that is not a hexadecimal number")
        self._left = int(size, 16)
        self._check_size()
        self._digest = hashlib.sha256()
        if self._left:
            self._state = "data"
        else:
            self._close_chunk()
            self._state = "trailer"

    def _check_size(self) -> None:
        """Refuse a chunk behind a small one: 5 GB in chunks of a byte are days of work."""
        if self._left and 0 < self._last_size < _MIN_CHUNK:
            text = f"Only the last chunk is allowed to have a size less than {_MIN_CHUNK} bytes"
            members = {"Chunk": self._number + 1, "BadChunkSize": self._last_size}
            raise ServiceFault("InvalidChunkSizeError", text, 403, members)
        self._number += 1
        self._last_size = self._left

    def _read_trailer(self, line: str) -> None:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or name in self.trailers or len(self.trailers) >= _MAX_TRAILERS:
            raise _bad("a trailer that is malformed, repeated, or one of too many")
        self.trailers[name] = value.strip()

    def _close_chunk(self) -> None:
        if self.signer is not None:
            self.signer.check(self._signature, self._digest.hexdigest())

    def _close_trailer(self) -> None:
        stated = self.trailers.pop(_SIGNATURE, "")
        if self.signer is not None and self.signer.with_trailer:
            lines = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            self.signer.check_trailer(stated, lines)


def _bad(what: str) -> ServiceFault:
    return ServiceFault("InvalidRequest", f"The aws-chunked body is not valid: {what}.")
