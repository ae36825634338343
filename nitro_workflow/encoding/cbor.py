"""Strict, bounded CBOR (RFC 8949): a scanner for where, cbor2 for what, refused where they differ.

The scanner knows nothing but structure. It gives the byte range of every item, so that a person
can be shown exactly the bytes that were checked, and it refuses what makes one value have two
encodings: heads that are longer than needed (§4.1), strings in chunks, duplicate keys, trailing
bytes. Arrays and maps of indefinite length stay allowed: newer attestation documents have them.
Floating point, undefined and other simple values do not occur in any format of this package and
are refused, and so is every tag that the caller does not name (cbor2 turns some tags into shared
references or regular expressions).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from nitro_workflow.encoding.scanner import DEFAULT_LIMITS, Item, Kind, Limits, Scanner
from nitro_workflow.errors import EncodingError

__all__ = ["DEFAULT_LIMITS", "Item", "Kind", "Limits", "dumps", "loads_strict", "scan", "value_of"]

_ERRORS = (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError)


def scan(
    data: bytes,
    *,
    limits: Limits = DEFAULT_LIMITS,
    tags: frozenset[int] = frozenset(),
) -> Item:
    """Return the item that ``data`` is, with the byte ranges of all within it.

    ``tags`` are the tag numbers that may occur. Raises `EncodingError` with the offset of the first
    byte that is not well-formed, is longer than it needs to be, or passes a limit.
    """
    if len(data) > limits.max_bytes:
        raise EncodingError(
            f"{len(data)} bytes",
            expected=f"at most {limits.max_bytes} bytes",
            offset=limits.max_bytes,
            next="Check that the input is one document, not a file of another kind.",
        )
    scanner = Scanner(data, limits, tags)
    item = scanner.item(0, 0)
    if item.end != len(data):
        raise EncodingError(
            f"{len(data) - item.end} bytes after the end of the item",
            expected="no trailing bytes",
            offset=item.end,
        )
    return item


def loads_strict(
    data: bytes,
    *,
    limits: Limits = DEFAULT_LIMITS,
    tags: frozenset[int] = frozenset(),
) -> Any:
    """Return the value of ``data`` as cbor2 reads it, after `scan` accepted every byte.

    Raises `EncodingError` where `scan` does, where cbor2 refuses, and where the two disagree.
    """
    item = scan(data, limits=limits, tags=tags)
    return value_of(data, item, limits=limits)


def value_of(data: bytes, item: Item, *, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return cbor2's value of a scanned item, held against the scan."""
    try:
        value = cbor2.loads(
            data[item.start : item.end],
            max_depth=limits.max_depth + 2,
            allow_duplicate_keys=False,
        )
    except _ERRORS as error:
        raise EncodingError(
            f"cbor2 refuses what the scanner read: {error}",
            expected="bytes on which both agree",
            offset=item.start,
        ) from error
    _agree(data, item, value)
    return value


def dumps(value: Any) -> bytes:
    """Return the encoding of ``value``: definite lengths, shortest heads, keys in given order.

    Takes what the formats hold: int, bytes, str, bool, None, lists, tuples and mappings of them.
    Raises `EncodingError` for anything else.
    """
    try:
        encoded: bytes = cbor2.dumps(value)
    except (cbor2.CBOREncodeError, ValueError, TypeError, OverflowError) as error:
        raise EncodingError(
            f"{type(value).__name__} that has no CBOR form here: {error}",
            expected="int, bytes, str, bool, None, lists and mappings",
        ) from error
    return encoded


def _agree(data: bytes, item: Item, value: Any) -> None:
    """Raise where cbor2's value is not what the scanner saw."""
    if not _same(data, item, value):
        raise EncodingError(
            f"cbor2 reads {type(value).__name__} where the scanner saw {item.kind}",
            expected="bytes on which both agree",
            offset=item.start,
        )


def _same(data: bytes, item: Item, value: Any) -> bool:
    kind, _, content, end, argument, children = item
    if kind == "bytes":
        return type(value) is bytes and value == data[content:end]
    if kind == "text":
        return type(value) is str and value.encode() == data[content:end]
    if kind == "uint":
        return type(value) is int and value == argument
    if kind == "nint":
        return type(value) is int and argument is not None and value == -1 - argument
    if kind == "null":
        return value is None
    if kind in ("true", "false"):
        return value is (kind == "true")
    if kind == "tag":
        is_tag = isinstance(value, cbor2.CBORTag) and value.tag == argument
        return is_tag and _same(data, children[0], value.value)
    # Inside a tag cbor2 makes containers immutable: tuples and a mapping that is not a dict.
    if kind == "array":
        parts = value if type(value) in (list, tuple) else None
    else:
        is_map = isinstance(value, Mapping)
        parts = [part for pair in value.items() for part in pair] if is_map else None
    if parts is None or len(parts) != len(children):
        return False
    return all(map(_same, [data] * len(parts), children, parts))
