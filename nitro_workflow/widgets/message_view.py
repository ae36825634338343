"""The header of an Encryption SDK message, field by field with its bytes.

Format: AWS Encryption SDK Developer Guide, "Message format reference", version 2.
Only for showing: the Encryption SDK itself reads and checks what is decrypted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nitro_workflow.errors import EncodingError
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.view_model import FieldNode, Inspection

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
                next="Check that the file is a whole Encryption SDK message.",
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

    Raises `EncodingError` with the offset where the header is cut or not of version 2.
    """
    cursor = _Cursor(data[:HEADER_LIMIT])
    version = cursor.number(1, "version")
    if version != 2:
        raise EncodingError(
            f"version {version}",
            expected="2, the committing format",
            offset=0,
            next="Encrypt with a committing suite, as step P3 does.",
        )
    suite = cursor.node("algorithm suite", lambda: _suite(cursor.number(2, "suite")))
    nodes = (
        FieldNode("version", "2", 0, 1),
        suite,
        cursor.node("message id", lambda: size(len(cursor.take(32, "message id"))), "random"),
        cursor.node("encryption context", lambda: _context(cursor), "in clear, and authenticated"),
        cursor.node("encrypted data keys", lambda: _keys(cursor), "only KMS can open them"),
        cursor.node("content type", lambda: _content(cursor.number(1, "content type"))),
        cursor.node("frame length", lambda: size(cursor.number(4, "frame length"))),
        cursor.node("commitment", lambda: size(len(cursor.take(32, "commitment"))), "of the key"),
        cursor.node("header tag", lambda: size(len(cursor.take(16, "header tag"))), "AES-GCM"),
    )
    return Inspection(
        title="Encryption SDK message",
        verdict=f"header of {size(cursor.at)}, then frames; {size(total)} in all",
        tone="neutral",
        nodes=nodes,
        data=data[: cursor.at],
    )


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
