"""HTTP as the protocol layer sees it: no sockets, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO
from urllib.parse import unquote_plus

__all__ = ["FileSlice", "RawRequest", "RawResponse"]


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
        """The query's names and values, decoded, in order; a name without ``=`` has value ""."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)

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
