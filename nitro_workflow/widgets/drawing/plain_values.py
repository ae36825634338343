"""Models as JSON, with nothing in them that reorders or hides what a person reads."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["TEXT_LIMIT", "to_json", "visible"]

TEXT_LIMIT = 65_536
"""Characters of one text that are shown; of a longer one the view says how much is left out."""

Value = TypeVar("Value")

# Marks without a width of their own, stacked on one letter, cover the lines around it.
_STACK = 4
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and fillers of no width, which Unicode does not count as format characters.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def visible(value: Value) -> Value:
    """Return the model with control, bidirectional and zero-width characters written as escapes.

    Such characters in an attacker's field would otherwise reorder or hide what a person reads.
    """
    if isinstance(value, str):
        return _text(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(visible(item) for item in value)  # type: ignore[return-value]
    if isinstance(value, list):
        return [visible(item) for item in value]  # type: ignore[return-value]
    if isinstance(value, dict):
        return {visible(key): visible(item) for key, item in value.items()}  # type: ignore[return-value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: visible(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value


def _text(text: str) -> str:
    more = len(text) - TEXT_LIMIT
    if more > 0:
        return f"{_text(text[:TEXT_LIMIT])} … and {more:,} more characters"
    if text.isascii() and text.isprintable():
        return text
    shown, stacked = [], 0
    for char in text:
        stacked = stacked + 1 if unicodedata.combining(char) else 0
        shown.append(_escaped(char) if stacked > _STACK or _hides(char) else char)
    return "".join(shown)


def _hides(char: str) -> bool:
    return char not in "\n\t" and (unicodedata.category(char) in _INVISIBLE or char in _BLANKS)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def to_json(value: Any) -> Any:
    """Return a model, or what is in one, as JSON values; bytes become lower-case hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value
