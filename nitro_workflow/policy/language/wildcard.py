"""Patterns with `*` and `?`, matched in one pass without backtracking.

A pattern is text in which wildcards are marked by code points that valid Unicode text cannot hold
(lone surrogates), so that ``${*}`` and the value of a variable stay literal beside a real ``*``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = [
    "ANY",
    "ANY_SEGMENT",
    "ONE",
    "ONE_SEGMENT",
    "Glob",
    "complete_arn",
    "literal",
    "mark",
    "mark_arn",
    "show",
]

ANY = "\ud800"  # `*`
ONE = "\ud801"  # `?`
# The same two inside one colon-separated segment of an ARN.
ANY_SEGMENT = "\ud802"
ONE_SEGMENT = "\ud803"
_WILD = frozenset((ANY, ONE, ANY_SEGMENT, ONE_SEGMENT))
_SHOWN = {ord(ANY): "*", ord(ONE): "?", ord(ANY_SEGMENT): "*", ord(ONE_SEGMENT): "?"}
_MARKED = {ord("*"): ANY, ord("?"): ONE}


def literal(text: str) -> str:
    """Return text that matches only itself, even where it holds marks."""
    return "".join(char for char in text if char not in _WILD) if _has_mark(text) else text


def _has_mark(text: str) -> bool:
    return any(char in text for char in _WILD)


def mark(text: str) -> str:
    """Return the text with `*` and `?` as wildcards.

    Source: reference_policies_elements_condition_operators, "StringLike".
    """
    return literal(text).translate(_MARKED)


def mark_arn(marked: str) -> str:
    """Return a marked ARN pattern with the wildcards of its first five segments kept inside them.

    A `*` that ends a segment may run over colons. Source: reference_policies_elements_resource.
    """
    head = marked.split(":", 5)
    if len(head) < 2 or not any(_has_mark(part) for part in head[:-1]):
        return marked
    bounded = [_bound(part) for part in head[:5]]
    return ":".join([*bounded, *head[5:]])


def complete_arn(marked: str) -> str:
    """Return an ARN pattern of fewer than six fields with `*` for those that are missing.

    ``arn:aws:sqs`` in an identity policy is ``arn:aws:sqs:*:*:*``. Source: reference-arns.
    """
    fields = marked.split(":", 5)
    if fields[0] != "arn" or len(fields) == 6:
        return marked
    return ":".join(fields + [ANY] * (6 - len(fields)))


def _bound(segment: str) -> str:
    inner, last = segment[:-1], segment[-1:]
    inner = inner.replace(ANY, ANY_SEGMENT).replace(ONE, ONE_SEGMENT)
    return inner + (last if last == ANY else last.replace(ONE, ONE_SEGMENT))


def show(pattern: str) -> str:
    """Return the pattern as a person wrote it."""
    return pattern.translate(_SHOWN)


@dataclass(frozen=True, slots=True)
class Glob:
    """A compiled pattern. ``Glob.written("kms:De*").matches("kms:Decrypt")`` is true."""

    pattern: str
    matches: Callable[[str], bool] = field(compare=False, repr=False)

    @classmethod
    def of(cls, pattern: str) -> Glob:
        """Compile a marked pattern; the cost of a match is linear in the length of the text."""
        return cls(pattern, _compile(pattern))

    @classmethod
    def written(cls, text: str) -> Glob:
        """Compile a pattern as a person writes it, in which `*` and `?` are wildcards."""
        return cls.of(mark(text))

    def __str__(self) -> str:
        return show(self.pattern)


def _compile(pattern: str) -> Callable[[str], bool]:
    if not _has_mark(pattern):
        return pattern.__eq__
    if not pattern.strip(ANY):
        return lambda _text: True
    body = pattern.rstrip(ANY)
    if body != pattern and not _has_mark(body):
        return lambda text: text.startswith(body)
    if not any(char in pattern for char in (ONE, ANY_SEGMENT, ONE_SEGMENT)):
        return _stars(pattern.split(ANY))
    return _Automaton(pattern).accepts


def _stars(chunks: list[str]) -> Callable[[str], bool]:
    """Match chunks that `*` separates: the leftmost place for each is always good enough."""
    first, last = chunks[0], chunks[-1]
    middle = [chunk for chunk in chunks[1:-1] if chunk]
    least = sum(map(len, chunks))

    def matches(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        position, end = len(first), len(text) - len(last)
        for chunk in middle:
            found = text.find(chunk, position, end)
            if found < 0:
                return False
            position = found + len(chunk)
        return True

    return matches


class _Automaton:
    """A non-deterministic automaton in one integer: bit n says that n symbols have matched."""

    __slots__ = ("_any", "_default", "_goal", "_masks", "_segment")

    def __init__(self, pattern: str) -> None:
        self._any = self._segment = self._default = 0
        self._masks: dict[str, int] = {}
        one_segment = position = 0
        literals: list[tuple[str, int]] = []
        for char in pattern:
            bit = 1 << position
            if char == ANY:
                self._any |= bit
                continue
            if char == ANY_SEGMENT:
                self._segment |= bit
                continue
            position += 1
            if char == ONE:
                self._default |= bit
            elif char == ONE_SEGMENT:
                one_segment |= bit
            else:
                literals.append((char, bit))
        self._goal = 1 << position
        self._build_masks(literals, one_segment)

    def _build_masks(self, literals: list[tuple[str, int]], one_segment: int) -> None:
        colon = self._default
        self._default |= one_segment
        self._masks[":"] = colon
        for char, bit in literals:
            self._masks[char] = self._masks.get(char, self._default) | bit

    def accepts(self, text: str) -> bool:
        state, masks, default = 1, self._masks, self._default
        loop_any, loop_segment = self._any, self._any | self._segment
        for char in text:
            loop = loop_any if char == ":" else loop_segment
            state = ((state & masks.get(char, default)) << 1) | (state & loop)
            if not state:
                return False
        return bool(state & self._goal)
