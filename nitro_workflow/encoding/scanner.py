"""The scanner of `cbor`: structure and byte ranges, nothing of values."""

from __future__ import annotations

from typing import Literal, NamedTuple

from nitro_workflow.errors import EncodingError

__all__ = ["DEFAULT_LIMITS", "Item", "Kind", "Limits", "Scanner"]

Kind = Literal["uint", "nint", "bytes", "text", "array", "map", "tag", "false", "true", "null"]

_MAJOR: tuple[Kind, ...] = ("uint", "nint", "bytes", "text", "array", "map", "tag", "null")
_SIMPLE: dict[int, Kind] = {20: "false", 21: "true", 22: "null"}
_BREAK = 0xFF
_KEY_KINDS = frozenset({"uint", "nint", "bytes", "text"})
# The shortest argument that deserves 1, 2, 4 and 8 more bytes (RFC 8949 §4.1).
_FLOOR = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}


class Limits(NamedTuple):
    """What a scan may cost: bytes of input, items in all, levels of nesting."""

    max_bytes: int
    max_items: int
    max_depth: int


DEFAULT_LIMITS = Limits(max_bytes=262_144, max_items=65_536, max_depth=16)
"""KMS takes documents of up to 262,144 bytes; an EIF's signature holds 32,768 one-byte items."""


class Item(NamedTuple):
    """One CBOR item and where it stands; offsets are in bytes, ``end`` is exclusive.

    ``content`` is the offset after the head. ``argument`` is the head's number: a value for
    integers (``-1 - argument`` for ``nint``), a length for the rest, the number of a tag, None for
    indefinite length. ``children`` of a map are key, value, key, value, ….
    """

    kind: Kind
    start: int
    content: int
    end: int
    argument: int | None
    children: tuple[Item, ...]

    def pairs(self) -> list[tuple[Item, Item]]:
        """Return the keys and values of a map, in the order of the bytes."""
        return list(zip(self.children[::2], self.children[1::2], strict=True))


_item = tuple.__new__  # what Item(…) comes to, without a call in between


class Scanner:
    """Walks the bytes once; recursion is bounded by ``limits.max_depth``."""

    __slots__ = ("data", "left", "max_depth", "size", "tags")

    def __init__(self, data: bytes, limits: Limits, tags: frozenset[int]) -> None:
        self.data = data
        self.size = len(data)
        self.left = limits.max_items
        self.max_depth = limits.max_depth
        self.tags = tags

    def item(self, start: int, depth: int) -> Item:
        """Return the item at an offset. Raises `EncodingError`."""
        self.left -= 1
        if self.left < 0 or depth > self.max_depth:
            limit = "items" if self.left < 0 else "nesting"
            raise EncodingError(f"too much {limit}", expected="a small document", offset=start)
        data, size = self.data, self.size
        if start >= size:
            raise _cut(start)
        initial = data[start]
        major, low = initial >> 5, initial & 31
        # First what nearly all items are: short heads, and byte strings that are whole.
        if low < 24:
            argument, content = low, start + 1
        elif low == 24 and major != 7 and start + 1 < size and data[start + 1] >= 24:
            argument, content = data[start + 1], start + 2
        elif low == 31:
            return self._indefinite(start, major, depth)
        else:
            argument, content = self._argument(start, major, low)
        if major < 2:
            return _item(Item, (_MAJOR[major], start, content, content, argument, ()))
        if major == 2 and content + argument <= size:
            return _item(Item, ("bytes", start, content, content + argument, argument, ()))
        if major < 4:
            return self._string(start, content, argument, major)
        if major < 6:
            return self._definite(start, content, argument, major, depth)
        if major == 6:
            return self._tag(start, content, argument, depth)
        return self._simple(start, content, argument)

    def _argument(self, start: int, major: int, low: int) -> tuple[int, int]:
        if low > 27:
            raise EncodingError(
                f"reserved head 0x{self.data[start]:02x}",
                expected="a head of RFC 8949 §3",
                offset=start,
            )
        width = 1 << (low - 24)
        content = start + 1 + width
        if content > self.size:
            raise _cut(self.size)
        argument = int.from_bytes(self.data[start + 1 : content], "big")
        if major == 7:
            raise EncodingError(
                "a floating-point number or an unassigned simple value",
                expected="integer, string, array, map, true, false or null",
                offset=start,
            )
        if argument < _FLOOR[width]:
            raise EncodingError(
                f"number {argument} written in {width} bytes",
                expected="the shortest head (RFC 8949 §4.1)",
                offset=start,
            )
        return argument, content

    def _string(self, start: int, content: int, length: int, major: int) -> Item:
        end = content + length
        if end > self.size:
            raise EncodingError(
                f"a string of {length} bytes of which {self.size - content} are there",
                expected="the whole string",
                offset=start,
            )
        if major == 3:
            try:
                self.data[content:end].decode()
            except UnicodeDecodeError as error:
                raise EncodingError(
                    "text that is not UTF-8", expected="UTF-8", offset=content + error.start
                ) from None
        return Item(_MAJOR[major], start, content, end, length, ())

    def _definite(self, start: int, content: int, length: int, major: int, depth: int) -> Item:
        count = length * (major - 3)
        # Each child takes a byte at least: a count bomb is refused before any work.
        if count > self.size - content:
            raise EncodingError(
                f"{_MAJOR[major]} of {length} entries in {self.size - content} bytes",
                expected="as many entries as the head says",
                offset=start,
            )
        children = []
        end = content
        read = self.item
        for _ in range(count):
            child = read(end, depth + 1)
            end = child.end
            children.append(child)
        if major == 5:
            self._check_keys(children)
        return Item(_MAJOR[major], start, content, end, length, tuple(children))

    def _indefinite(self, start: int, major: int, depth: int) -> Item:
        if major not in (4, 5):
            raise EncodingError(
                "a break without a container" if major == 7 else f"chunked {_MAJOR[major]}",
                expected="a definite length; only arrays and maps may be indefinite",
                offset=start,
            )
        children = []
        end = start + 1
        while end < self.size and self.data[end] != _BREAK:
            child = self.item(end, depth + 1)
            end = child.end
            children.append(child)
        if end >= self.size:
            raise _cut(end)
        if major == 5:
            if len(children) % 2:
                raise EncodingError("a key without a value", expected="key and value", offset=end)
            self._check_keys(children)
        return Item(_MAJOR[major], start, start + 1, end + 1, None, tuple(children))

    def _check_keys(self, children: list[Item]) -> None:
        seen = set()
        data = self.data
        for kind, start, _, end, _, _ in children[::2]:
            if kind not in _KEY_KINDS:
                raise EncodingError(
                    f"a map key that is {kind}", expected="integer or string", offset=start
                )
            # Heads are shortest, so equal values have equal bytes.
            encoded = data[start:end]
            if encoded in seen:
                raise EncodingError("a key twice", expected="each key once", offset=start)
            seen.add(encoded)

    def _tag(self, start: int, content: int, number: int, depth: int) -> Item:
        if number not in self.tags:
            allowed = ", ".join(map(str, sorted(self.tags))) or "none"
            raise EncodingError(
                f"tag {number}", expected=f"no tag here (allowed: {allowed})", offset=start
            )
        child = self.item(content, depth + 1)
        return Item("tag", start, content, child.end, number, (child,))

    def _simple(self, start: int, content: int, number: int) -> Item:
        kind = _SIMPLE.get(number)
        if kind is None:
            raise EncodingError(
                f"simple value {number}", expected="true, false or null", offset=start
            )
        return Item(kind, start, content, content, number, ())


def _cut(offset: int) -> EncodingError:
    return EncodingError(
        "the end of the input", expected="more bytes: the item is cut short", offset=offset
    )
