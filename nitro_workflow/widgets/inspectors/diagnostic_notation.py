"""CBOR in diagnostic notation (RFC 8949 §8): what a person reads instead of bytes."""

from __future__ import annotations

import json

from nitro_workflow.encoding import cbor
from nitro_workflow.errors import EncodingError

__all__ = ["diagnostic"]

_INDENT = "  "


def diagnostic(data: bytes, *, tags: frozenset[int] = frozenset({18})) -> str:
    """Return bytes in diagnostic notation; a byte string that is a map of CBOR as ``<<…>>``.

    ``<<…>>`` for embedded CBOR is RFC 8610, appendix G.3. Of what is no CBOR, a comment says so.
    """
    try:
        item = cbor.scan(data, tags=tags)
    except EncodingError as error:
        return f"/ no CBOR: {error} /"
    return _written(data, item, 0)


def _written(data: bytes, item: cbor.Item, depth: int) -> str:
    pad, end = _INDENT * (depth + 1), _INDENT * depth
    mark = "_" if item.argument is None and item.kind in ("array", "map") else ""
    if item.kind == "array":
        lines = [f"{pad}{_written(data, one, depth + 1)}" for one in item.children]
        return _held("[", "]", mark, lines, end)
    if item.kind == "map":
        lines = [
            f"{pad}{_written(data, key, depth + 1)}: {_written(data, one, depth + 1)}"
            for key, one in item.pairs()
        ]
        return _held("{", "}", mark, lines, end)
    if item.kind == "tag":
        return f"{item.argument}({_written(data, item.children[0], depth)})"
    return _leaf(data[item.content : item.end], item, depth)


def _held(opening: str, closing: str, mark: str, lines: list[str], end: str) -> str:
    if not lines:
        return f"{opening}{mark}{closing}"
    return f"{opening}{mark}\n" + ",\n".join(lines) + f"\n{end}{closing}"


def _leaf(content: bytes, item: cbor.Item, depth: int) -> str:
    if item.kind == "bytes":
        return _embedded(content, depth) or f"h'{content.hex()}'"
    if item.kind == "text":
        return json.dumps(content.decode(), ensure_ascii=True)
    if item.kind == "nint":
        return str(-1 - (item.argument or 0))
    return str(item.argument) if item.kind == "uint" else item.kind


def _embedded(content: bytes, depth: int) -> str:
    """Return a byte string that is one CBOR map, as a COSE header and payload are."""
    if content[:1] == b"" or content[0] >> 5 != 5:
        return ""
    try:
        inner = cbor.scan(content)
    except EncodingError:
        return ""
    return f"<<{_written(content, inner, depth)}>>"
