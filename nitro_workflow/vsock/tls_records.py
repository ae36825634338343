"""What a proxy can see of TLS: record types and lengths, the server name asked for.

`RecordObserver` proves that only TLS records passed: it reads the 5-byte record headers (RFC 8446
§5.1) and skips what they announce; `records_in` tells where each record stands in bytes that were
kept. Neither raises: a stream that is not TLS is *reported*.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

__all__ = ["RecordObserver", "TlsRecord", "records_in", "server_name"]

RECORD_NAMES: Final = {
    20: "change_cipher_spec",
    21: "alert",
    22: "handshake",
    23: "application_data",
}
"""RFC 8446 §5.1, ContentType."""

RECORD_LIMIT: Final = (1 << 14) + 2048
"""Bytes of a record's body, TLS 1.2 being the looser. [src: RFC 5246 §6.2.3]"""

LENGTHS: Final = 64
"""Records whose lengths are kept at a time: a call to KMS has ten; the others are counted."""

_HEADER: Final = 5
_HELLO_LIMIT: Final = 16 * 1024  # bytes of the first handshake record that are kept for the name


@dataclass(frozen=True, slots=True)
class TlsRecord:
    """One record: its ``start`` and ``end`` in the bytes, header included; ``kind`` is a name.

    ``kind`` is "" for what is no whole record: the rest of the bytes.
    """

    kind: str
    start: int
    end: int


def records_in(data: bytes) -> tuple[TlsRecord, ...]:
    """Return the records of one direction; what is none, from there to the end, comes last."""
    found: list[TlsRecord] = []
    at = 0
    while at < len(data):
        header = data[at : at + _HEADER]
        length = int.from_bytes(header[3:], "big")
        name, end = RECORD_NAMES.get(header[0], ""), at + _HEADER + length
        if not name or len(header) < _HEADER or header[1] != 3 or end > len(data):
            return (*found, TlsRecord("", at, len(data)))
        found.append(TlsRecord(name, at, end))
        at = end
    return tuple(found)


class RecordObserver:
    """One direction of one connection: feed it pieces, then read the counts."""

    def __init__(self) -> None:
        self.records: dict[str, int] = {}
        self._lengths: list[tuple[str, int]] = []
        self.size = 0
        self.server_name: str | None = None
        self.not_tls_at: int | None = None  # offset of the first byte that is no TLS record
        self._digest = hashlib.sha256()
        self._header = bytearray()
        self._skip = 0
        self._hello: bytearray | None = bytearray()

    @property
    def sha256(self) -> str:
        """Digest of all bytes of this direction, hex."""
        return self._digest.hexdigest()

    @property
    def only_tls(self) -> bool:
        """Whether whole TLS records, and nothing else, have passed."""
        return self.not_tls_at is None and not self._header and self._skip == 0

    def take_lengths(self) -> list[tuple[str, int]]:
        """Return type and length of the records since the last time, `LENGTHS` at most."""
        taken, self._lengths = self._lengths, []
        return taken

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._digest.update(data)
        view = memoryview(data)
        while view and self.not_tls_at is None:
            taken = self._take_body(view) if self._skip else self._take_header(view)
            self.size += taken
            view = view[taken:]
        self.size += len(view)

    def _take_header(self, view: memoryview) -> int:
        taken = min(_HEADER - len(self._header), len(view))
        self._header += view[:taken]
        if len(self._header) == _HEADER:
            self._open_record(self.size + taken - _HEADER)
        return taken

    def _open_record(self, offset: int) -> None:
        kind, major, length = (
            self._header[0],
            self._header[1],
            int.from_bytes(self._header[3:5], "big"),
        )
        name = RECORD_NAMES.get(kind)
        if name is None or major != 3 or length > RECORD_LIMIT:
            self.not_tls_at = offset
            return
        if name != "handshake":
            self._hello = None
        self.records[name] = self.records.get(name, 0) + 1
        if len(self._lengths) < LENGTHS:
            self._lengths.append((name, length))
        self._skip = length
        self._header.clear()

    def _take_body(self, view: memoryview) -> int:
        taken = min(self._skip, len(view))
        self._skip -= taken
        if self._hello is not None:
            self._hello += view[: min(taken, _HELLO_LIMIT - len(self._hello))]
            if self._skip == 0 or len(self._hello) >= _HELLO_LIMIT:
                self.server_name = server_name(bytes(self._hello))
                self._hello = None
        return taken


def server_name(hello: bytes) -> str | None:
    """Return the host name in a ClientHello handshake message (RFC 6066 §3), or None."""
    try:
        return _walk_hello(hello)
    except (IndexError, UnicodeDecodeError):
        return None


def _walk_hello(hello: bytes) -> str | None:
    if hello[0] != 1:  # client_hello
        return None
    at = 4 + 2 + 32  # message header, version, random
    at += 1 + hello[at]  # session id
    at += 2 + _u16(hello, at)  # cipher suites
    at += 1 + hello[at]  # compression methods
    end = min(at + 2 + _u16(hello, at), len(hello))
    at += 2
    while at + 4 <= end:
        kind, length = _u16(hello, at), _u16(hello, at + 2)
        if kind == 0:  # server_name: list length, type 0, length, name
            size = _u16(hello, at + 7)
            name = hello[at + 9 : at + 9 + size]
            return name.decode("ascii") if hello[at + 6] == 0 and len(name) == size else None
        at += 4 + length
    return None


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]
