"""HTTP as the protocol layer sees it: no sockets, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO
from urllib.parse import unquote

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = ["FileSlice", "RawRequest", "RawResponse", "decode_uri"]


def decode_uri(text: str, *, plus: bool = False) -> str:
    """Return a part of a path or (`plus`: where a plus is a space) of a query, decoded.

    Raises `ServiceFault`: InvalidURI, what is not UTF-8; two names must not become one.
    """
    try:
        return unquote(text.replace("+", " ") if plus else text, errors="strict")
    except UnicodeDecodeError:
        raise ServiceFault("InvalidURI", "Couldn't parse the specified URI.") from None


@dataclass(frozen=True)
class RawRequest:
    """One HTTP request.

    `path` and `query` are as sent (percent-encoded); the names of headers are in lower case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    secure: bool = True
    source_ip: str = "127.0.0.1"

    @cached_property
    def query_pairs(self) -> tuple[tuple[str, str], ...]:
        """The query's names and values, decoded, in order; a name without ``=`` has value "".

        Raises `ServiceFault`: InvalidURI.
        """
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return tuple(
            (decode_uri(name, plus=True), decode_uri(value, plus=True)) for name, _, value in pairs
        )

    @cached_property
    def query_values(self) -> Mapping[str, str]:
        """The same as a mapping (the first of repeated names wins)."""
        return dict(reversed(self.query_pairs))


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A response body that is streamed: `length` bytes of the open file from `start`.

    Whoever sends it closes the file, which may have been deleted meanwhile.
    """

    file: BinaryIO
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class RawResponse:
    """One HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileSlice = b""
