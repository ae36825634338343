"""The forms in which documents are passed around: raw, hex, base64, base64url, in JSON or PEM.

>>> decode_input(b"84 40  a040 40").form
'hex'
>>> decode_input(b"hECgQEA=").data == decode_input(b"0x8440a04040").data
True
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from nitro_workflow.attestation.document import DOCUMENT_LIMITS
from nitro_workflow.attestation.text_forms import NEXT, SPACE, decode_text
from nitro_workflow.attestation.wrapped_inputs import is_json, unwrap_json, unwrap_pem
from nitro_workflow.errors import DocumentError

__all__ = ["MAX_INPUT_BYTES", "Decoded", "Form", "decode_input"]

Form = Literal["raw", "hex", "base64", "base64url", "json", "pem"]

MAX_INPUT_BYTES = 4 * DOCUMENT_LIMITS.max_bytes
"""Bytes of input: the largest document in hex, with as much white space again."""

_TEXT = frozenset(range(0x21, 0x7F)) | frozenset(SPACE)
_BOM = b"\xef\xbb\xbf"


class Decoded(NamedTuple):
    """A document's bytes and the form they came in."""

    form: Form
    data: bytes


def decode_input(data: bytes) -> Decoded:
    """Return the bytes of a document given as raw bytes, hex, base64 or base64url.

    Input that holds a byte which is not printable ASCII is raw. White space in text, a ``0x`` and
    missing padding do not matter. JSON is unwrapped where it is a string, an array of bytes, or an
    object with one field of a document's usual names; PEM where it is not labelled as something
    else. Raises `DocumentError` for empty or too long input, and for text of no form, naming the
    character, the JSON's fields or the PEM's label.
    """
    if len(data) > MAX_INPUT_BYTES:
        raise DocumentError(
            f"more than {MAX_INPUT_BYTES} bytes",
            expected="one document",
            where="input",
            next=NEXT,
        )
    text = data.removeprefix(_BOM)
    if is_json(text):
        return Decoded("json", unwrap_json(text))
    if not _TEXT.issuperset(text):
        return Decoded("raw", data)
    compact = text.translate(None, SPACE)
    if not compact:
        raise DocumentError("nothing", expected="a document", where="input", next=NEXT)
    if compact.startswith(b"-----BEGIN"):
        return Decoded("pem", unwrap_pem(text))
    return Decoded(*decode_text(text))
