"""What a request's headers say of the body that is to come: its length, digests and checksum."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder
from nitro_workflow.cloud.local.protocol import (
    CHECKSUM_ALGORITHMS,
    checksum_header,
    new_checksum,
    read_decimal,
)

__all__ = ["DEFAULT_ALGORITHM", "IntakePlan", "too_large"]

# S3 User Guide, "Checking object integrity": what S3 computes where the client names none.
DEFAULT_ALGORITHM = "CRC64NVME"
_PREFIX = "x-amz-checksum-"
# Headers of that prefix that carry no checksum.
_OTHER = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"})
_HEADERS = {checksum_header(algorithm): algorithm for algorithm in CHECKSUM_ALGORITHMS}


@dataclass(frozen=True, slots=True)
class IntakePlan:
    """What the request's headers say of its body.

    `sha256` is the hex digest that was signed (None where the payload is unsigned), `length` the
    content's stated length in bytes. `algorithm` is computed in any case; `checksum` is the value
    that the client states in a header, `trailer` the name of the trailer that will state it.
    """

    decoder: ChunkDecoder | None
    sha256: str | None
    length: int | None
    limit: int
    algorithm: str = DEFAULT_ALGORITHM
    checksum: str | None = None
    trailer: str = ""
    md5: bytes | None = None

    @classmethod
    def of(
        cls,
        headers: Mapping[str, str],
        *,
        payload: str,
        decoder: ChunkDecoder | None,
        limit: int,
        checksummed: bool = True,
    ) -> IntakePlan:
        """Read the headers; `checksummed` says that their checksum is of this body.

        (CompleteMultipartUpload states the checksum of the object that it makes.)

        Raises `ServiceFault`: what S3 has no such algorithm for, what contradicts itself, a length
        that is not a number or above the limit.
        """
        header, trailer = _carriers(headers, decoder) if checksummed else ("", "")
        signed = None if decoder or len(payload) != hashlib.sha256().digest_size * 2 else payload
        plan = cls(
            decoder,
            signed,
            _length(headers, decoder),
            limit,
            _HEADERS.get(header or trailer, DEFAULT_ALGORITHM),
            headers[header] if header else None,
            trailer,
            _md5(headers.get("content-md5")),
        )
        if plan.length is not None and plan.length > limit:
            raise too_large(limit)
        return plan


def _carriers(headers: Mapping[str, str], decoder: ChunkDecoder | None) -> tuple[str, str]:
    """Return the header or the trailer that carries a checksum; "" for what does not."""
    header, trailer = _checksum_header(headers), _trailer(headers, decoder)
    if header and trailer:
        raise _invalid("Expecting a single x-amz-checksum- header")
    _check_promise(headers, header or trailer)
    return header, trailer


def _checksum_header(headers: Mapping[str, str]) -> str:
    """Return the one header with a checksum, or ""."""
    found = [name for name in headers if name.startswith(_PREFIX) and name not in _OTHER]
    if not found:
        return ""
    if len(found) > 1:
        raise _invalid(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if found[0] not in _HEADERS or not _is_checksum(_HEADERS[found[0]], headers[found[0]]):
        raise _invalid(f"Value for {found[0]} header is invalid.")
    return found[0]


def _is_checksum(algorithm: str, text: str) -> bool:
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return len(value) == len(new_checksum(algorithm).digest())


def _trailer(headers: Mapping[str, str], decoder: ChunkDecoder | None) -> str:
    """Return the name of the trailer that will carry a checksum, or ""."""
    name = headers.get("x-amz-trailer", "").strip().lower()
    if name and (name not in _HEADERS or decoder is None):
        raise _invalid("The value specified in the x-amz-trailer header is not supported")
    return name


def _check_promise(headers: Mapping[str, str], carried: str) -> None:
    """Refuse an algorithm that is named for a checksum which does not come, or another comes."""
    named = headers.get("x-amz-sdk-checksum-algorithm", "")
    if named and checksum_header(named) != carried:
        raise _invalid(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
            "x-amz-trailer headers were found."
        )


def _length(headers: Mapping[str, str], decoder: ChunkDecoder | None) -> int | None:
    name = "x-amz-decoded-content-length" if decoder else "content-length"
    if name not in headers:
        if decoder is None:
            return None
        raise ServiceFault(
            "MissingContentLength", "You must provide the Content-Length HTTP header.", 411
        )
    length = read_decimal(headers[name])
    if length is None:
        raise ServiceFault("InvalidArgument", f"The {name} header is not a length.")
    return length


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


def _invalid(text: str) -> ServiceFault:
    return ServiceFault("InvalidRequest", text)


def too_large(limit: int) -> ServiceFault:
    """Return the refusal of a body above its limit."""
    return ServiceFault(
        "EntityTooLarge", f"The request's body is larger than the {limit} bytes allowed.", 413
    )
