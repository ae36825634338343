"""The header of an Encryption SDK message, field by field with its bytes.

Format: AWS Encryption SDK Developer Guide, "Message format reference", version 2.
Only for showing: the Encryption SDK itself reads and checks what is decrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nitro_workflow.errors import EncodingError
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.view_model import CheckLine, FieldNode, Inspection

__all__ = ["HEADER_LIMIT", "message_inspection"]

HEADER_LIMIT = 64 * 1024
"""Bytes that are read to find the header: its longest fields are counted in 16 bits."""

_SUITES = {
    0x0478: "AES_256_GCM_HKDF_SHA512_COMMIT_KEY",
    0x0578: "AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384",
}


class _Cursor:
    """Reads big-endian fields and remembers where each stood."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int, what: str) -> bytes:
        if self.at + count > len(self.data):
            raise EncodingError(
                f"{len(self.data) - self.at} bytes left",
                expected=f"{count} bytes of {what}",
                offset=self.at,
                next="see that the file is a whole Encryption SDK message",
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int, what: str) -> int:
        return int.from_bytes(self.take(count, what), "big")

    def text(self, what: str) -> str:
        return self.take(self.number(2, f"length of {what}"), what).decode("utf-8", "replace")

    def node(self, label: str, read: Callable[[], Any], note: str = "") -> FieldNode:
        start = self.at
        value = read()
        children = value if isinstance(value, tuple) else ()
        shown = f"{len(children)}" if isinstance(value, tuple) else str(value)
        return FieldNode(label, shown, start, self.at, note, children)


def message_inspection(data: bytes, *, total: int) -> Inspection:
    """Return the header of a message whose first bytes are ``data`` and which is ``total`` long.

    Raises nothing: of a header that is cut, or of another version, the view has the fields before
    that place, and a check that fails there.
    """
    cursor = _Cursor(data[:HEADER_LIMIT])
    nodes: list[FieldNode] = []
    checks: tuple[CheckLine, ...] = ()
    verdict = ""
    try:
        nodes.extend(_fields(cursor))
        verdict = f"header of {size(cursor.at)}, then frames; {size(total)} in all"
    except EncodingError as error:
        verdict = f"no whole header: it breaks at {error.where}"
        checks = (
            CheckLine("header", "header", "bad", "cannot be read", error.found, error.expected),
        )
    return Inspection(
        title="Encryption SDK message",
        verdict=verdict,
        tone="bad" if checks else "neutral",
        checks=checks,
        nodes=tuple(nodes),
        data=data[:HEADER_LIMIT] if checks else data[: cursor.at],
    )


def _fields(cursor: _Cursor) -> Iterator[FieldNode]:
    """Yield the fields in their order; raises `EncodingError` where one cannot be read."""
    yield cursor.node("version", lambda: _version(cursor.number(1, "version")))
    yield cursor.node("algorithm suite", lambda: _suite(cursor.number(2, "suite")))
    yield cursor.node("message id", lambda: size(len(cursor.take(32, "message id"))), "random")
    yield cursor.node("encryption context", lambda: _context(cursor), "in clear, and authenticated")
    yield cursor.node("encrypted data keys", lambda: _keys(cursor), "only KMS can open them")
    yield cursor.node("content type", lambda: _content(cursor.number(1, "content type")))
    yield cursor.node("frame length", lambda: size(cursor.number(4, "frame length")))
    yield cursor.node("commitment", lambda: size(len(cursor.take(32, "commitment"))), "of the key")
    yield cursor.node("header tag", lambda: size(len(cursor.take(16, "header tag"))), "AES-GCM")


def _version(number: int) -> str:
    if number != 2:
        raise EncodingError(
            f"version {number}",
            expected="2, the committing format",
            offset=0,
            next="encrypt with a committing suite, as step P3 does",
        )
    return "2"


def _suite(number: int) -> str:
    return f"{number:#06x} {_SUITES.get(number, 'unknown here')}"


def _content(number: int) -> str:
    return {1: "not framed", 2: "framed"}.get(number, f"unknown ({number})")


def _context(cursor: _Cursor) -> tuple[FieldNode, ...]:
    if not cursor.number(2, "length of the encryption context"):
        return ()
    count = cursor.number(2, "number of pairs")
    return tuple(_pair(cursor) for _ in range(count))


def _pair(cursor: _Cursor) -> FieldNode:
    start = cursor.at
    key, value = cursor.text("context key"), cursor.text("context value")
    return FieldNode(key, value, start, cursor.at)


def _keys(cursor: _Cursor) -> tuple[FieldNode, ...]:
    count = cursor.number(2, "number of data keys")
    return tuple(_data_key(cursor) for _ in range(count))


def _data_key(cursor: _Cursor) -> FieldNode:
    start = cursor.at
    provider, name = cursor.text("provider"), cursor.text("key name")
    blob = cursor.take(cursor.number(2, "length of a data key"), "encrypted data key")
    return FieldNode(provider, name, start, cursor.at, f"encrypted key of {size(len(blob))}")
