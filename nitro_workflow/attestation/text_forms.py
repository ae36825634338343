"""A document's bytes as text: hex, base64, base64url."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from nitro_workflow.errors import DocumentError

__all__ = ["NEXT", "SPACE", "TextForm", "decode_text"]

TextForm = Literal["hex", "base64", "base64url"]

SPACE = b" \t\r\n\v\f"
NEXT = (
    "Give the document as raw bytes, hex, base64 or base64url; "
    "`nitro-workflow inspect` finds one within a log."
)
_HEX = frozenset(b"0123456789abcdefABCDEF")
_BASE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def decode_text(text: bytes) -> tuple[TextForm, bytes]:
    """Return the form and the bytes of hex, base64 or base64url, white space left out.

    Raises `DocumentError`, naming the character that is of neither.
    """
    compact = text.translate(None, SPACE)
    digits = compact[2:] if compact[:2] in (b"0x", b"0X") else compact
    if _HEX.issuperset(digits) and len(digits) % 2 == 0:
        return "hex", binascii.unhexlify(digits)
    return _base64(text, compact)


def _base64(text: bytes, compact: bytes) -> tuple[TextForm, bytes]:
    body = compact.rstrip(b"=")
    form: TextForm = "base64url" if {0x2D, 0x5F}.intersection(body) else "base64"
    allowed = _BASE | frozenset(b"-_" if form == "base64url" else b"+/")
    for offset, byte in enumerate(text):
        if byte not in allowed and byte not in SPACE and byte != 0x3D:
            raise DocumentError(
                f"character {chr(byte)!r}",
                expected=f"{form} text, hex or raw bytes",
                where=f"input, byte {offset}",
                next=NEXT,
            )
    padding = len(compact) - len(body)
    if len(body) % 4 == 1 or padding > 2 or (padding and len(compact) % 4) or b"=" in body:
        raise DocumentError(
            f"{len(body)} characters of {form} and {padding} of padding",
            expected="whole groups of four characters: the text is cut short or joined",
            where="input",
            next=NEXT,
        )
    standard = body.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(body) % 4)
    return form, base64.b64decode(standard, validate=True)
