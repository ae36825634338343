"""The AWS Encryption SDK's message, field by field: both versions, framed or not.

Format: AWS Encryption SDK Developer Guide, "Message format reference". Only for showing: the SDK
itself reads and checks what is decrypted. Of a long message only its header and the head of each
frame are read; what lies between is ciphertext.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nitro_workflow.errors import EncodingError
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.byte_ranges import ByteRange

__all__ = [
    "SDK_HEADER_LIMIT",
    "DataKey",
    "Frames",
    "Parsed",
    "Suite",
    "parse_header",
    "read_frames",
]

SDK_HEADER_LIMIT: Final = 256 * 1024
"""Bytes that are read to find the header: its longest fields are counted in 16 bits."""
KEYS: Final = 64
FRAME_CHECKS: Final = 4096
"""Frames whose numbers are read; of more, the rest is taken as counted."""

IV, TAG, SEQUENCE = 12, 16, 4
FINAL: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Suite:
    """An algorithm suite: ``commits`` to its key, ``signs`` with a footer."""

    name: str
    commits: bool = False
    signs: bool = False


SUITES: Final = {
    0x0478: Suite("AES_256_GCM_HKDF_SHA512_COMMIT_KEY", commits=True),
    0x0578: Suite("AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384", commits=True, signs=True),
    0x0378: Suite("AES_256_GCM_HKDF_SHA384_ECDSA_P384", signs=True),
    0x0178: Suite("AES_256_GCM_HKDF_SHA256"),
    0x0078: Suite("AES_256_GCM_NO_KDF"),
}


@dataclass(frozen=True, slots=True)
class DataKey:
    """One encrypted data key: who can open it, and where its bytes are."""

    provider: str
    name: str
    start: int
    end: int


@dataclass(slots=True)
class Parsed:
    """A header as far as it could be read; ``broken`` says where it could not."""

    nodes: list[ByteRange] = field(default_factory=list)
    end: int = 0
    suite: Suite = field(default_factory=lambda: Suite("unknown"))
    context: list[tuple[str, str]] = field(default_factory=list)
    keys: list[DataKey] = field(default_factory=list)
    framed: bool = True
    frame_length: int = 0
    broken: EncodingError | None = None


@dataclass(frozen=True, slots=True)
class Frames:
    """The body: ``count`` frames of ``length`` bytes and a last of ``last``; ``end`` of the body.

    ``wrong`` names the first frame whose number is not its own, 0 for none; ``missing`` is how many
    bytes the message lacks.
    """

    count: int
    length: int
    last: int
    start: int
    end: int
    wrong: int = 0
    missing: int = 0


Read = Callable[[int, int], bytes]
"""``read(offset, length)`` returns the bytes there, fewer at the end."""


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

    def node(
        self, label: str, read: Callable[[], Any], note: str = "", tint: str = ""
    ) -> ByteRange:
        start = self.at
        value = read()
        kids = value if isinstance(value, tuple) else ()
        shown = f"{len(kids)}" if isinstance(value, tuple) else str(value)
        return ByteRange(label, shown, start, self.at, note, tint, bool(kids), kids)


def parse_header(data: bytes) -> Parsed:
    """Return the header at the beginning of ``data``. Raises nothing: see `Parsed.broken`."""
    cursor, parsed = _Cursor(data[:SDK_HEADER_LIMIT]), Parsed()
    try:
        for node in _fields(cursor, parsed):
            parsed.nodes.append(node)
            parsed.end = cursor.at
    except EncodingError as error:
        parsed.broken = error
    return parsed


def _fields(cursor: _Cursor, parsed: Parsed) -> Iterator[ByteRange]:
    version = cursor.data[0] if cursor.data else 0
    yield cursor.node("version", lambda: _version(cursor), tint="f6")
    if version == 1:
        yield cursor.node(
            "type", lambda: f"{cursor.number(1, 'type'):#04x}", "128: a message", "f6"
        )
    yield cursor.node("algorithm suite", lambda: _suite(cursor, parsed), tint="f6")
    count = 16 if version == 1 else 32
    yield cursor.node("message id", lambda: cursor.take(count, "message id").hex(), "random", "f1")
    yield cursor.node(
        "encryption context", lambda: _context(cursor, parsed), "in clear, and authenticated", "f3"
    )
    yield cursor.node(
        "encrypted data keys", lambda: _keys(cursor, parsed), "each opens the message", "f4"
    )
    yield cursor.node("content type", lambda: _content(cursor, parsed), tint="f6")
    if version == 1:
        yield cursor.node("reserved", lambda: cursor.take(4, "reserved").hex(), tint="f6")
        yield cursor.node("IV length", lambda: bytes_of(cursor.number(1, "IV length")), tint="f6")
    yield cursor.node("frame length", lambda: _frame_length(cursor, parsed), tint="f6")
    if version == 1:
        yield cursor.node("header IV", lambda: cursor.take(IV, "header IV").hex(), tint="f2")
    else:
        yield cursor.node(
            "commitment", lambda: cursor.take(32, "commitment").hex(), "of the data key", "f5"
        )
    yield cursor.node(
        "header tag", lambda: cursor.take(TAG, "header tag").hex(), "AES-GCM over all above", "f2"
    )


def _version(cursor: _Cursor) -> str:
    number = cursor.number(1, "version")
    if number not in (1, 2):
        raise EncodingError(
            f"version {number}",
            expected="1, or 2, the committing format",
            offset=0,
            next="see that this is a message of the AWS Encryption SDK",
        )
    return str(number)


def _suite(cursor: _Cursor, parsed: Parsed) -> str:
    number = cursor.number(2, "suite")
    parsed.suite = SUITES.get(number, Suite("unknown here"))
    return f"{number:#06x} {parsed.suite.name}"


def _content(cursor: _Cursor, parsed: Parsed) -> str:
    number = cursor.number(1, "content type")
    parsed.framed = number != 1
    return {1: "not framed", 2: "framed"}.get(number, f"unknown ({number})")


def _frame_length(cursor: _Cursor, parsed: Parsed) -> str:
    parsed.frame_length = cursor.number(4, "frame length")
    return bytes_of(parsed.frame_length)


def _context(cursor: _Cursor, parsed: Parsed) -> tuple[ByteRange, ...]:
    if not cursor.number(2, "length of the encryption context"):
        return ()
    return tuple(_pair(cursor, parsed) for _ in range(cursor.number(2, "number of pairs")))


def _pair(cursor: _Cursor, parsed: Parsed) -> ByteRange:
    start = cursor.at
    key, value = cursor.text("context key"), cursor.text("context value")
    parsed.context.append((key, value))
    return ByteRange(key, value, start, cursor.at, tint="f3")


def _keys(cursor: _Cursor, parsed: Parsed) -> tuple[ByteRange, ...]:
    count = cursor.number(2, "number of data keys")
    if count > KEYS:
        raise EncodingError(
            f"{count} encrypted data keys",
            expected=f"at most {KEYS}",
            offset=cursor.at - 2,
            next="see who made this message: each key is one that may open it",
        )
    return tuple(_data_key(cursor, parsed) for _ in range(count))


def _data_key(cursor: _Cursor, parsed: Parsed) -> ByteRange:
    start = cursor.at
    provider, name = cursor.text("provider"), cursor.text("key name")
    size = cursor.number(2, "length of a data key")
    begin = cursor.at
    cursor.take(size, "encrypted data key")
    parsed.keys.append(DataKey(provider, name, begin, cursor.at))
    blob = ByteRange("ciphertext", bytes_of(size), begin, cursor.at, "the sealed data key", "f4")
    return ByteRange(provider, name, start, cursor.at, "who opens it", "f4", False, (blob,))


# -- the body --------------------------------------------------------------------------------------


def read_frames(read: Read, parsed: Parsed, total: int) -> Frames:
    """Return the frames of a message of ``total`` bytes whose header was read. Raises nothing.

    Every frame's number is read from its place, `FRAME_CHECKS` at most.
    """
    start, length = parsed.end, parsed.frame_length
    if not parsed.framed or length <= 0:
        size = int.from_bytes(read(start + IV, 8), "big")
        end = start + IV + 8 + size + TAG
        return Frames(1, size, size, start, min(end, total), missing=max(end - total, 0))
    step = SEQUENCE + IV + length + TAG
    final, wrong = _final_frame(read, start, step, total)
    head = SEQUENCE * 3 + IV
    last = int.from_bytes(read(final + head - SEQUENCE, SEQUENCE), "big") if final < total else 0
    end = final + head + last + TAG
    count = (final - start) // step + (1 if final < total else 0)
    return Frames(count, length, last, start, min(end, total), wrong, max(end - total, 0))


def _final_frame(read: Read, start: int, step: int, total: int) -> tuple[int, int]:
    """Return where the last frame begins, and the first one with a wrong number."""
    whole = max((total - start - 1) // step, 0)
    for number in range(1, min(whole, FRAME_CHECKS) + 2):
        at = start + (number - 1) * step
        found = int.from_bytes(read(at, SEQUENCE), "big")
        if found == FINAL:
            own = int.from_bytes(read(at + SEQUENCE, SEQUENCE), "big")
            return at, 0 if own == number else number
        if found != number:
            return min(at, total), number
    return start + whole * step, 0


def frame_nodes(frames: Frames, shown: Sequence[int]) -> list[ByteRange]:
    """Return the fields of some frames, by number; the last has its end marker and its length."""
    return [_frame(frames, number) for number in shown]


def _frame(frames: Frames, number: int) -> ByteRange:
    step = SEQUENCE + IV + frames.length + TAG
    at = frames.start + (number - 1) * step
    last = number == frames.count
    parts = [("end marker", SEQUENCE)] if last else []
    parts += [("number", SEQUENCE), ("IV", IV), *([("length", SEQUENCE)] if last else [])]
    parts += [("ciphertext", frames.last if last else frames.length), ("tag", TAG)]
    kids, begin = [], at
    for name, size in parts:
        kids.append(
            ByteRange(name, bytes_of(size), begin, begin + size, tint="f2" if name == "tag" else "")
        )
        begin += size
    label = f"frame {number:,}{', the last' if last else ''}"
    return ByteRange(
        label, bytes_of(frames.last if last else frames.length), at, begin, children=tuple(kids)
    )
