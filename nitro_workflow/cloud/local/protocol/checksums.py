"""The five checksums of S3: computed over a stream, put together from parts.

Each is known by AWS's word (``CRC64NVME``), which also names the member of the model
(`checksum_member`) and the header (`checksum_header`). Values are base64 of the big-endian bytes.

Source: Amazon S3 User Guide, "Checking object integrity"; NVM Express NVM Command Set
Specification 1.0, "64b CRC" (CRC64NVME); RFC 3720 appendix B.4 (CRC32C).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

__all__ = [
    "CHECKSUM_ALGORITHMS",
    "Digest",
    "checksum_header",
    "checksum_member",
    "combine_checksums",
    "encode_checksum",
    "new_checksum",
]


class Digest(Protocol):
    """What `hashlib` and the class below have in common."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all that came."""


class _ModelCrc:
    """A CRC of anycrc's catalogue: some six GB a second, where Python itself makes five MB."""

    def __init__(self, name: str, size: int) -> None:
        self._model, self._size = _model(name), size
        self._value: int = self._model.calc(b"")

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._model.calc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_FACTORIES: Mapping[str, Callable[[], Digest]] = {
    "CRC32": lambda: _ModelCrc("CRC32", 4),
    "CRC32C": lambda: _ModelCrc("CRC32C", 4),
    "CRC64NVME": lambda: _ModelCrc("CRC64-NVME", 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
}
CHECKSUM_ALGORITHMS = tuple(_FACTORIES)
_MODELS = {"CRC32": ("CRC32", 4), "CRC32C": ("CRC32C", 4), "CRC64NVME": ("CRC64-NVME", 8)}


@cache
def _model(name: str) -> Any:
    import anycrc

    return anycrc.Model(name)


def new_checksum(algorithm: str) -> Digest:
    """Return a new checksum of one of `CHECKSUM_ALGORITHMS`.

    >>> checksum = new_checksum("CRC64NVME")
    >>> checksum.update(b"123456789")
    >>> encode_checksum(checksum.digest())
    'rosUhgp5mIg='
    """
    return _FACTORIES[algorithm]()


def combine_checksums(algorithm: str, first: bytes, second: bytes, second_length: int) -> bytes:
    """Return the CRC of two pieces in a row, from the CRC of each (a multipart upload's parts).

    `second_length` in bytes. The SHA family has no such thing.
    """
    name, size = _MODELS[algorithm]
    values = (int.from_bytes(first, "big"), int.from_bytes(second, "big"))
    value: int = _model(name).combine(*values, second_length)
    return value.to_bytes(size, "big")


def encode_checksum(digest: bytes) -> str:
    """Return a checksum as S3 writes it."""
    return base64.b64encode(digest).decode()


def checksum_header(algorithm: str) -> str:
    """Return the header (or trailer) that carries it: ``x-amz-checksum-crc64nvme``."""
    return f"x-amz-checksum-{algorithm.lower()}"


def checksum_member(algorithm: str) -> str:
    """Return the member of the model that carries it: ``ChecksumCRC64NVME``."""
    return f"Checksum{algorithm}"
