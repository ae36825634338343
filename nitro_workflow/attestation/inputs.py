"""The forms in which documents are passed around: raw bytes, hex, base64, base64url.

>>> decode_input(b"84 40  a040 40").form
'hex'
>>> decode_input(b"hECgQEA=").data == decode_input(b"0x8440a04040").data
True
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal, NamedTuple

from nitro_workflow.attestation.document import DOCUMENT_LIMITS
from nitro_workflow.errors import DocumentError

__all__ = ["MAX_INPUT_BYTES", "Decoded", "Form", "decode_input"]

Form = Literal["raw", "hex", "base64", "base64url"]

MAX_INPUT_BYTES = 4 * DOCUMENT_LIMITS.max_bytes
"""Bytes of input: the largest document in hex, with as much white space again."""

_SPACE = b" \t\r\n\v\f"
_TEXT = frozenset(range(0x21, 0x7F)) | frozenset(_SPACE)
_HEX = frozenset(b"0123456789abcdefABCDEF")
_BASE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_BOM = b"\xef\xbb\xbf"
_NEXT = "Give the document as raw bytes, hex, base64 or base64url."


class Decoded(NamedTuple):
    """A document's bytes and the form they came in."""

    form: Form
    data: bytes


def decode_input(data: bytes) -> Decoded:
    """Return the bytes of a document given as raw bytes, hex, base64 or base64url.

    Input that holds a byte which is not printable ASCII is raw. White space in text, a ``0x`` and
    missing padding do not matter. Raises `DocumentError` for empty or too long input, and for text
    of neither form, naming the character.
    """
    if len(data) > MAX_INPUT_BYTES:
        raise DocumentError(
            f"more than {MAX_INPUT_BYTES} bytes",
            expected="one document",
            where="input",
            next=_NEXT,
        )
    text = data.removeprefix(_BOM)
    if not _TEXT.issuperset(text):
        return Decoded("raw", data)
    compact = text.translate(None, _SPACE)
    if not compact:
        raise DocumentError("nothing", expected="a document", where="input", next=_NEXT)
    digits = compact[2:] if compact[:2] in (b"0x", b"0X") else compact
    if _HEX.issuperset(digits) and len(digits) % 2 == 0:
        return Decoded("hex", binascii.unhexlify(digits))
    return _base64(text, compact)


def _base64(text: bytes, compact: bytes) -> Decoded:
    body = compact.rstrip(b"=")
    form: Form = "base64url" if {0x2D, 0x5F}.intersection(body) else "base64"
    allowed = _BASE | frozenset(b"-_" if form == "base64url" else b"+/")
    for offset, byte in enumerate(text):
        if byte not in allowed and byte not in _SPACE and byte != 0x3D:
            raise DocumentError(
                f"character {chr(byte)!r}",
                expected=f"{form} text, hex or raw bytes",
                where=f"input, byte {offset}",
                next=_NEXT,
            )
    padding = len(compact) - len(body)
    if len(body) % 4 == 1 or padding > 2 or (padding and len(compact) % 4) or b"=" in body:
        raise DocumentError(
            f"{len(body)} characters of {form} and {padding} of padding",
            expected="whole groups of four characters: the text is cut short or joined",
            where="input",
            next=_NEXT,
        )
    standard = body.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(body) % 4)
    return Decoded(form, base64.b64decode(standard, validate=True))
