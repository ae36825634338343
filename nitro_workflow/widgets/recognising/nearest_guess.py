"""What unknown bytes look like, in words, the nearest first."""

from __future__ import annotations

import json
import math
from collections import Counter

from nitro_workflow.encoding import cbor
from nitro_workflow.errors import EncodingError

__all__ = ["guesses_of"]

_MAGIC = {
    b"\x7fELF": "an ELF program",
    b"PK\x03\x04": "a ZIP archive",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"\xfd7zXZ": "xz data",
    b"BZh": "bzip2 data",
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF",
    b"070701": "a cpio archive (newc), as a ramdisk holds",
    b"\x30\x80": "BER of indefinite length",
}
_RANDOM = 7.2  # bits of entropy a byte, from which bytes look encrypted
_ENOUGH = 256  # bytes for such a statement


def guesses_of(data: bytes) -> tuple[str, ...]:
    """Return sentences about bytes of no known form; raises nothing."""
    if not data:
        return ("nothing to look at",)
    found = [f"begins as {what} does" for magic, what in _MAGIC.items() if data.startswith(magic)]
    found += [*_cbor(data), *_der(data), *_text(data), *_random(data)]
    return tuple(found) or ("bytes without any structure that is known here",)


def _cbor(data: bytes) -> tuple[str, ...]:
    if data[0] >> 5 not in (4, 5, 6) or data[0] & 31 > 27:
        return ()
    head = {4: "an array", 5: "a map", 6: "a tag"}[data[0] >> 5]
    try:
        cbor.scan(data, tags=frozenset({18}))
    except EncodingError as error:
        where = f" at {error.where}" if error.where else ""
        return (f"begins as {head} of CBOR and breaks{where}: {error.found}",)
    return (f"CBOR, {head}, but none of the forms this package knows",)


def _der(data: bytes) -> tuple[str, ...]:
    if data[0] != 0x30 or len(data) < 4 or not 0x81 <= data[1] <= 0x83:
        return ()
    count = data[1] & 0x7F
    length = 2 + count + int.from_bytes(data[2 : 2 + count])
    if length > len(data):
        return (f"begins as DER of {length:,} bytes, of which {len(data):,} are there: cut short?",)
    rest = f", then {len(data) - length:,} other bytes" if length < len(data) else ""
    return (f"DER: a SEQUENCE of {length:,} bytes{rest}",)


def _text(data: bytes) -> tuple[str, ...]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ()
    if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
        return ()
    if text.lstrip()[:1] in ("{", "["):
        return _json(text)
    lines = text.count("\n") + 1
    return (f"text in UTF-8, {len(text):,} characters in {lines:,} line{'s' if lines > 1 else ''}",)


def _json(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except ValueError as error:
        return (f"begins as JSON and breaks: {error}",)
    except RecursionError:
        return ("JSON that is nested too deep",)
    names = ", ".join(name[:40] for name in [*value][:10]) if isinstance(value, dict) else ""
    return (f"JSON with {names}" if names else "JSON, without any field that is known",)


def _random(data: bytes) -> tuple[str, ...]:
    if len(data) < _ENOUGH:
        return ()
    sample = data[:65_536]
    counts = Counter(sample).values()
    bits = -sum(n / len(sample) * math.log2(n / len(sample)) for n in counts)
    return ("looks random: encrypted, or compressed",) if bits > _RANDOM else ()
