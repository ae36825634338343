"""An Encryption SDK message: nested ranges, frames to scale, which key opens it, its context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from nitro_workflow.widgets.drawing import Head, Tone
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.byte_ranges import ByteRange
from nitro_workflow.widgets.inspectors.sdk_message import (
    Frames,
    Parsed,
    Read,
    frame_nodes,
    parse_header,
    read_frames,
)

__all__ = ["KeyLine", "MessageModel", "Pair", "Part", "make_message", "merged"]

SHOWN_BYTES: Final = 64 * 1024
"""Bytes of the beginning that the live form holds as hex."""
NODES: Final = 4096
"""Fields that are shown; a hostile header may name more."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the message to scale: its size in bytes, and the number of its tint."""

    name: str
    size: int
    tint: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of the encryption context beside what the policy asks for."""

    name: str
    found: str
    expected: str
    tone: Tone
    said: str


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One encrypted data key: ``opens`` says in words who can open it."""

    provider: str
    name: str
    size: int
    opens: str


@dataclass(frozen=True, slots=True)
class MessageModel:
    """A message of ``total`` bytes; ``data`` are its first ones, ``frames`` in words.

    ``header_parts`` are the header's fields, drawn ``enlarged`` times beside the whole.
    """

    head: Head
    total: int
    nodes: tuple[ByteRange, ...]
    parts: tuple[Part, ...]
    header_parts: tuple[Part, ...]
    enlarged: int
    keys: tuple[KeyLine, ...]
    context: tuple[Pair, ...]
    frames: str
    data: bytes
    kind: Literal["message"] = "message"


def make_message(
    data: bytes,
    *,
    total: int | None = None,
    read: Read | None = None,
    expected_context: Mapping[str, str] | None = None,
    name: str = "",
) -> MessageModel:
    """Return the view of a message whose first bytes are ``data`` and which is ``total`` long.

    ``read(offset, length)`` gets bytes further on; without it ``data`` is all there is to read.
    ``expected_context`` is what a key policy, or the enclave, asks of the context. Raises nothing:
    of a message that is cut, or none, the view has the fields before that place, and says where.
    """
    size = len(data) if total is None else total
    parsed = parse_header(data)
    if len(parsed.nodes) + len(parsed.keys) + len(parsed.context) > NODES:
        parsed.nodes = parsed.nodes[:4]
    frames = None if parsed.broken else read_frames(read or _within(data), parsed, size)
    context = tuple(_pairs(parsed, expected_context))
    return MessageModel(
        head=_head(parsed, frames, context, size, name),
        total=size,
        nodes=tuple(_nodes(parsed, frames, size)),
        parts=tuple(_parts(parsed, frames, size)),
        header_parts=tuple(
            Part(n.label, n.end - n.start, int(n.tint[1:] or 6)) for n in parsed.nodes
        ),
        enlarged=max(size // parsed.end, 1) if parsed.end else 1,
        keys=tuple(
            KeyLine(k.provider, k.name, k.end - k.start, _opens(k.provider)) for k in parsed.keys
        ),
        context=context,
        frames=_frames_said(frames, parsed),
        data=data[:SHOWN_BYTES],
    )


def _within(data: bytes) -> Read:
    return lambda offset, length: data[offset : offset + length]


def _opens(provider: str) -> str:
    if provider == "aws-kms":
        return "KMS, if the key's policy allows Decrypt with this encryption context"
    return f"whoever holds this key of {provider or 'an unnamed provider'}"


# -- the tree and the parts ------------------------------------------------------------------------


def _nodes(parsed: Parsed, frames: Frames | None, total: int) -> Iterator[ByteRange]:
    if parsed.nodes:
        yield ByteRange(
            "header",
            bytes_of(parsed.end),
            0,
            parsed.end,
            "authenticated, in clear",
            "f1",
            True,
            tuple(parsed.nodes),
        )
    if frames is None:
        return
    shown = sorted({1, 2, frames.count} & set(range(1, frames.count + 1)))
    kids = frame_nodes(frames, shown) if parsed.framed else []
    note = f"{frames.count - len(shown):,} more alike" if frames.count > len(shown) else ""
    label = "frames" if parsed.framed else "content"
    yield ByteRange(
        label, f"{frames.count:,}", frames.start, frames.end, note, "f2", False, tuple(kids)
    )
    if frames.end < total:
        label = "footer" if parsed.suite.signs else "left over"
        note = "a signature over all before it" if parsed.suite.signs else "nothing may follow"
        yield ByteRange(label, bytes_of(total - frames.end), frames.end, total, note, "f5")


def _parts(parsed: Parsed, frames: Frames | None, total: int) -> Iterator[Part]:
    if parsed.end:
        yield Part("header", parsed.end, 1)
    if frames is None:
        if total > parsed.end:
            yield Part("not read", total - parsed.end, 6)
        return
    whole = frames.count - 1 if parsed.framed else 0
    step = frames.length + 32
    yield from (Part(f"frame {n}", step, 2 + n % 2) for n in range(1, min(whole, 12) + 1))
    if whole > 12:
        yield Part(f"frames 13 to {whole:,}", (whole - 12) * step, 2)
    last = frames.end - frames.start - whole * step
    if last > 0:
        yield Part("last frame" if parsed.framed else "content", last, 4)
    if total > frames.end:
        yield Part("footer" if parsed.suite.signs else "left over", total - frames.end, 5)


def merged(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Return parts as (name, size), those of one size that follow each other as one line."""
    lines: list[tuple[str, str]] = []
    for size, group in groupby(parts, key=lambda part: part.size):
        names = [part.name for part in group]
        name = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        lines.append((name, bytes_of(size) + (" each" if len(names) > 1 else "")))
    return lines


def _frames_said(frames: Frames | None, parsed: Parsed) -> str:
    if frames is None:
        return ""
    if not parsed.framed:
        return f"one piece of {bytes_of(frames.length)}, not framed"
    each = (
        f"{frames.count - 1:,} of {bytes_of(frames.length)} and a last of {bytes_of(frames.last)}"
    )
    return f"{frames.count:,} frames: {each}, each with 32 bytes of number, IV and tag"


# -- context and head ------------------------------------------------------------------------------


def _pairs(parsed: Parsed, expected: Mapping[str, str] | None) -> Iterator[Pair]:
    found = dict(parsed.context)
    for name, value in found.items():
        wanted = (expected or {}).get(name)
        if wanted is not None:
            same = wanted == value
            yield Pair(
                name, value, wanted, "good" if same else "bad", "equal" if same else "differs"
            )
        elif expected is None:
            yield Pair(name, value, "", "neutral", "not compared")
        elif name == "aws-crypto-public-key":
            yield Pair(
                name, value, "", "neutral", "the SDK's own: the key of the footer's signature"
            )
        else:
            yield Pair(name, value, "", "warning", "not asked for by the policy")
    for name, wanted in (expected or {}).items():
        if name not in found:
            yield Pair(name, "", wanted, "bad", "missing")


def _head(
    parsed: Parsed, frames: Frames | None, context: tuple[Pair, ...], total: int, name: str
) -> Head:
    version = parsed.nodes[0].value if parsed.nodes else "?"
    what = f"Encryption SDK message · version {version} · {bytes_of(total)}" + (
        f" · {name}" if name else ""
    )
    if parsed.broken is not None:
        error = parsed.broken
        return Head(
            what,
            "Not a whole header",
            "bad",
            why=f"{error.where}: {error.found}; expected {error.expected}.",
            next=error.next,
        )
    if frames is not None and (frames.wrong or frames.missing):
        cut = f"{bytes_of(frames.missing)} are missing at its end" if frames.missing else ""
        wrong = f"frame {frames.wrong:,} does not bear its number" if frames.wrong else ""
        return Head(
            what,
            "The message is not whole",
            "bad",
            why="; ".join(filter(None, (wrong, cut))) + ".",
            next="Get the file again, and compare its digest with the owner's.",
        )
    bad = [pair.name for pair in context if pair.tone == "bad"]
    if bad:
        return Head(
            what,
            f"The encryption context is not the policy's: {', '.join(bad)}",
            "bad",
            why="KMS will refuse to open the data key with it.",
            next="Encrypt with the context that the key policy asks for.",
        )
    return _good(what, parsed, compared=any(pair.tone == "good" for pair in context))


def _good(what: str, parsed: Parsed, *, compared: bool) -> Head:
    count = len(parsed.keys)
    who = "one key opens it" if count == 1 else f"any of {count} keys opens it"
    if not parsed.suite.commits:
        return Head(
            what,
            f"Whole, and {who}; it does not commit to its key",
            "warning",
            why="Without commitment one ciphertext may open to two plaintexts under two keys.",
            next="Encrypt with a committing suite, as step P3 does.",
        )
    agree = " Its context is what the policy asks for." if compared else ""
    return Head(
        what,
        f"Whole, committed to its key, and {who}",
        "good" if compared else "neutral",
        why=f"Read, not opened: only the data key shows whether its bytes are genuine.{agree}",
    )
