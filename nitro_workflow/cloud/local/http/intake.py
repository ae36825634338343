"""A request's body on its way in: counted, digested, verified, and never held in memory whole."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from nitro_workflow.cloud.local.call import BodyFile, ServiceFault
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder

__all__ = ["MAX_OBJECT_BYTES", "MAX_PLAIN_BYTES", "Intake", "IntakePlan"]

MAX_OBJECT_BYTES = 5 * 1024**3  # S3: one PutObject or UploadPart
# Everything that is not an object. The largest of AWS's is KMS's: a 262,144-byte document and a
# 6,144-byte ciphertext in base64 stay below 0.4 MB; DeleteObjects with 1,000 keys below 2 MiB.
MAX_PLAIN_BYTES = 2 * 1024**2


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_CHECKSUMS: Mapping[str, tuple[str, Callable[[], _Digest]]] = {
    "x-amz-checksum-crc32": ("ChecksumCRC32", _Crc32),
    "x-amz-checksum-sha1": ("ChecksumSHA1", lambda: hashlib.sha1(usedforsecurity=False)),
    "x-amz-checksum-sha256": ("ChecksumSHA256", hashlib.sha256),
}
_UNKNOWN_CHECKSUMS = ("x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme")


@dataclass(frozen=True, slots=True)
class IntakePlan:
    """What the request's headers say of its body.

    `sha256` is the hex digest that was signed (None where the payload is unsigned), `length` the
    content's stated length in bytes.
    """

    decoder: ChunkDecoder | None
    sha256: str | None
    length: int | None
    limit: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    trailer: str = ""
    md5: bytes | None = None

    @classmethod
    def of(
        cls, headers: Mapping[str, str], *, payload: str, decoder: ChunkDecoder | None, limit: int
    ) -> IntakePlan:
        """Read the headers.

        Raises:
            ServiceFault: a checksum algorithm this cloud has not, a length that is no number.
        """
        trailer = headers.get("x-amz-trailer", "").lower()
        for name in _UNKNOWN_CHECKSUMS:
            if name in headers or name == trailer:
                raise ServiceFault(
                    "InvalidRequest",
                    f"This cloud verifies CRC32, SHA1 and SHA256; {name} is not one of them.",
                )
        name = "x-amz-decoded-content-length" if decoder else "content-length"
        stated = headers.get(name, "")
        signed = None if decoder or len(payload) != hashlib.sha256().digest_size * 2 else payload
        plan = cls(
            decoder,
            signed,
            int(stated) if stated.isascii() and stated.isdigit() else None,
            limit,
            {name: headers[name] for name in _CHECKSUMS if name in headers},
            trailer if trailer in _CHECKSUMS else "",
            _md5(headers.get("content-md5")),
        )
        if plan.length is not None and plan.length > limit:
            raise _too_large(limit)
        return plan


class Intake:
    """Takes a body in pieces, writes the content, verifies everything at the end.

    Used as a context manager: the temporary file is gone when the block ends, unless a handler has
    moved it away. With `path` None nothing is written and `content` holds the (bounded) bytes.
    """

    def __init__(self, plan: IntakePlan, path: Path | None) -> None:
        self._plan = plan
        self._path = path
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        names = {*plan.checksums, plan.trailer} - {""}
        self._sums = {name: _CHECKSUMS[name][1]() for name in names}
        self.content = bytearray()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(descriptor, "wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they came.

        Raises:
            ServiceFault: more than the limit, or chunk framing that does not hold.
        """
        pieces: Iterable[bytes] = self._plan.decoder.feed(data) if self._plan.decoder else (data,)
        for piece in pieces:
            self._size += len(piece)
            if self._size > self._plan.limit:
                raise _too_large(self._plan.limit)
            for digest in (self._md5, self._sha256, *self._sums.values()):
                digest.update(piece)
            if self._file is None:
                self.content += piece
            else:
                self._file.write(piece)

    def finish(self) -> BodyFile:
        """Verify length, digests and checksums; the content is on the disk when this returns.

        Raises:
            ServiceFault: IncompleteBody, BadDigest, XAmzContentSHA256Mismatch.
        """
        plan = self._plan
        cut = plan.decoder is not None and not plan.decoder.done
        if cut or (plan.length is not None and plan.length != self._size):
            raise ServiceFault(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length header",
            )
        self._verify()
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        sums = {_CHECKSUMS[n][0]: _base64(d.digest()) for n, d in self._sums.items()}
        path = self._path or Path(os.devnull)
        return BodyFile(path, self._size, self._md5.digest(), self._sha256.digest(), sums)

    def _verify(self) -> None:
        plan = self._plan
        if plan.sha256 is not None and not _same(self._sha256.hexdigest(), plan.sha256):
            raise ServiceFault(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        if plan.md5 is not None and plan.md5 != self._md5.digest():
            raise ServiceFault(
                "BadDigest", "The Content-MD5 you specified did not match what we received."
            )
        trailers = plan.decoder.trailers if plan.decoder else {}
        for name, digest in self._sums.items():
            stated = plan.checksums.get(name) or trailers.get(name, "")
            if not _same(_base64(digest.digest()), stated):
                kind = name.rpartition("-")[2].upper()
                raise ServiceFault(
                    "BadDigest",
                    f"The {kind} you specified did not match the calculated checksum.",
                )


def _md5(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.md5(usedforsecurity=False).digest_size:
        raise ServiceFault("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return digest


def _same(found: str, stated: str) -> bool:
    return hmac.compare_digest(found.encode(), stated.encode("latin-1", "replace"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _too_large(limit: int) -> ServiceFault:
    return ServiceFault(
        "EntityTooLarge", f"The request's body is larger than the {limit} bytes allowed.", 413
    )
