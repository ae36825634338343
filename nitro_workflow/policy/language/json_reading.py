"""JSON text to values: strict, bounded, and able to say where a value stands.

The fast path is the standard library's; the slow one finds line and column, and only for an error.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from nitro_workflow.errors import PolicyError

__all__ = ["MAX_DEPTH", "MAX_TEXT", "decode_text", "locate", "path_text", "read_json"]

MAX_TEXT = 1_048_576  # characters; KMS takes 131,072 (docs/reference/formats.md)
MAX_DEPTH = 32  # the language needs seven levels

Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_ATOM = re.compile(r"[^\s,\]}]+")


class _Duplicate(ValueError):
    """An object that has a member twice; ``name`` is the member."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Duplicate(name)
            seen.add(name)
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """Refuse a number that would be infinite: JSON has no word to write it with again."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number that is too large")
    return number


def read_json(source: str | bytes, *, what: str = "policy", limit: int = MAX_TEXT) -> Any:
    """Return the value of JSON text.

    Raises `PolicyError`, with line and column, for text that is not JSON, is not UTF-8, is longer
    than ``limit`` characters, is nested deeper than `MAX_DEPTH`, or names a member twice.
    """
    text = _text(source, what, limit)
    _check_depth(text, what)
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise _not_json(what, error.msg, f"line {error.lineno}, column {error.colno}") from None
    except _Duplicate as error:
        message = f"the member {error.name!r} twice in one object"
        raise _not_json(what, message, _second(text, error.name)) from None
    except (ValueError, RecursionError) as error:
        raise _not_json(what, str(error), "") from None
    if _HALF.search(text):
        _check_unicode(json.dumps(value, ensure_ascii=False), what)
    return value


def _check_unicode(text: str, what: str) -> None:
    """Refuse halves of surrogate pairs: they are no text, and nothing could print them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _not_json(what, "half a surrogate pair", "", expected="Unicode text") from None


def decode_text(source: bytes, what: str) -> str:
    """Return the text of a file: UTF-8, or UTF-16 as PowerShell writes it, with or without a mark.

    JSON begins with an ASCII character: where one of its first two bytes is zero it is UTF-16.
    """
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encoding = marks.get(source[:2], "utf-8-sig")
    if source[:1] == b"\0" or source[1:2] == b"\0":
        encoding = "utf-16-be" if source[:1] == b"\0" else "utf-16-le"
    try:
        return source.decode(encoding)
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding == "utf-8-sig" else "UTF-16"
        raise _not_json(what, f"bytes that are not {name}", f"byte {error.start}") from None


def _text(source: str | bytes, what: str, limit: int) -> str:
    text = decode_text(source, what) if isinstance(source, bytes) else source.removeprefix("\ufeff")
    if len(text) > limit:
        raise _not_json(what, f"{len(text)} characters", "", expected=f"at most {limit}")
    if not text.strip():
        raise _not_json(what, "nothing", "line 1, column 1")
    return text


def _check_depth(text: str, what: str) -> None:
    """Count brackets outside strings before anything recurses."""
    depth = position = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        mark = found.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                position = found.start()
                break
        elif mark in "]}":
            depth -= 1
    if depth > MAX_DEPTH:
        raise _not_json(
            what, "a value nested too deep", _place(text, position), expected=f"{MAX_DEPTH} levels"
        )


def _not_json(what: str, found: str, where: str, *, expected: str = "JSON text") -> PolicyError:
    return PolicyError(
        found,
        expected=expected,
        where=f"{what}, {where}" if where else what,
        next="correct the text there; `python -m json.tool FILE` shows the same place",
    )


def path_text(path: Path) -> str:
    """Return ``$.Statement[2].Condition.StringEquals``."""
    steps = (f"[{step}]" if isinstance(step, int) else _member(step) for step in path)
    return "$" + "".join(steps)


def _member(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    return f".{name}" if plain else f"[{json.dumps(name, ensure_ascii=False)}]"


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}"


def locate(text: str, path: Path) -> str:
    """Return ``line 4, column 17`` for the value at a path, or ``""`` when it is not there."""
    for found, start, is_name in _walk(text, _skip(text, 0), ()):
        if found == path and not is_name:
            return _place(text, start)
    return ""


def _second(text: str, name: str) -> str:
    seen: set[Path] = set()
    for found, start, key in _walk(text, _skip(text, 0), ()):
        if key and found in seen and found[-1] == name:
            return _place(text, start)
        if key:
            seen.add(found)
    return ""


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _walk(text: str, start: int, path: Path) -> Iterator[tuple[Path, int, bool]]:
    """Yield path and position of each value of valid JSON, and (flagged) of each member's name."""
    stack: list[tuple[Path, bool, int]] = []  # path of the container, is it an object, next index
    position, here = start, path
    while True:
        yield here, position, False
        char = text[position : position + 1]
        if char and char in "{[":
            stack.append((here, char == "{", 0))
            position = _skip(text, position + 1)
        else:
            pattern = _STRING if char == '"' else _ATOM
            found = pattern.match(text, position)
            position = _skip(text, found.end() if found else len(text))
        while stack and (position >= len(text) or text[position] in "]}"):
            stack.pop()
            position = _skip(text, position + 1)
        if not stack:
            return
        if text[position] == ",":
            position = _skip(text, position + 1)
        container, is_object, index = stack.pop()
        stack.append((container, is_object, index + 1))
        if not is_object:
            here = (*container, index)
            continue
        name = _STRING.match(text, position)
        if name is None:
            return
        here = (*container, json.loads(name.group(), strict=False))
        yield here, position, True
        position = _skip(text, _skip(text, name.end()) + 1)


Locate = Callable[[Path], str]
