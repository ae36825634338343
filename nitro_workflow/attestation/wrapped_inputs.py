"""Documents as services hand them on: inside JSON or PEM. Taken out, or named for what they are.

>>> unwrap_json(b'{"nonce": "00", "attestation_document": "hECgQEA="}').hex()
'8440a04040'
"""

from __future__ import annotations

import json
import re
from typing import Any

from nitro_workflow.attestation.text_forms import NEXT, SPACE, decode_text
from nitro_workflow.errors import DocumentError

__all__ = ["is_json", "unwrap_json", "unwrap_pem"]

_NAMES = frozenset(
    f"{name}{form}"
    for name in ("attestation", "attestationdoc", "attestationdocument", "doc", "document")
    for form in ("", "b64", "base64", "hex")
)
"""A document's field in the JSON of KMS's ``Recipient`` and of services: letters, digits only."""
_WRAPPERS = frozenset({"data", "recipient", "response", "result"})
_MAX_DEPTH = 4  # of objects in each other
_MAX_SHOWN = 10  # fields named in an error
_PEM = re.compile(rb"\s*-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----\s*", re.DOTALL)
_OTHER_PEM = ("CERTIFICATE", "CSR", "KEY", "PARAMETERS", "REQUEST")


def is_json(data: bytes) -> bool:
    """Tell whether input is JSON to all appearance: a document's bytes begin otherwise."""
    if data.lstrip(SPACE)[:1] not in (b"{", b"[", b'"'):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def unwrap_json(text: bytes) -> bytes:
    """Return the document in JSON. Raises `DocumentError`, naming the fields that are there."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad("JSON that cannot be read", "a whole JSON value") from error
    return _document(value, 0)


def _document(value: Any, depth: int) -> bytes:
    if isinstance(value, str):
        return decode_text(value.encode("utf-8", "surrogatepass"))[1]
    if isinstance(value, list) and value:
        if all(type(byte) is int and 0 <= byte < 256 for byte in value):
            return bytes(value)
        raise _bad("a JSON array", "an array of bytes, or one document")
    if not isinstance(value, dict):
        raise _bad(f"JSON, {type(value).__name__}", "a document in it")
    found = [entry for name, entry in value.items() if _plain(name) in _NAMES]
    if depth > _MAX_DEPTH:
        raise _bad("JSON that is nested too deep", f"at most {_MAX_DEPTH} objects in each other")
    if not found:
        found = [entry for name, entry in value.items() if _plain(name) in _WRAPPERS]
    if len(found) != 1:
        names = ", ".join(repr(str(name)[:40]) for name in [*value][:_MAX_SHOWN]) or "no fields"
        raise _bad(f"JSON with {names}", "one field attestation_document")
    return _document(found[0], depth + 1)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def unwrap_pem(text: bytes) -> bytes:
    """Return what PEM holds. Raises `DocumentError` for a certificate or a key, by its label."""
    match = _PEM.fullmatch(text)
    if match is None:
        raise _bad("PEM that cannot be read, or more than one block", "one block of PEM")
    label = match.group(1).decode()
    if label.split()[-1] in _OTHER_PEM:
        raise _bad(f"PEM, a {label}", "an attestation document")
    return decode_text(match.group(2))[1]


def _bad(found: str, expected: str) -> DocumentError:
    return DocumentError(found, expected=expected, where="input", next=NEXT)
