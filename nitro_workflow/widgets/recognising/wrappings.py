"""Wrappings of bytes: text forms, PEM, gzip, Python's and a log's way of writing them."""

from __future__ import annotations

import ast
import base64
import binascii
import re
import zlib

from nitro_workflow.attestation import decode_input
from nitro_workflow.errors import DocumentError

__all__ = ["MAX_UNZIPPED_BYTES", "as_text", "longest_run", "pem_blocks", "unzipped"]

MAX_UNZIPPED_BYTES = 64 << 20
"""Bytes that gzip may unfold to: a CloudTrail file has a few megabytes."""

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----(.*?)-----END \1-----", re.DOTALL)
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{64,}={0,2}")
_LITERAL = re.compile(rb"""\s*b(['"]).*\1\s*""", re.DOTALL)
_MAX_LITERAL = 1 << 20


def pem_blocks(text: bytes) -> list[tuple[str, bytes]]:
    """Return label and bytes of every PEM block that can be read."""
    found = []
    for label, body in _PEM.findall(text):
        try:
            found.append((label.decode(), base64.b64decode(b"".join(body.split()), validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found


def as_text(data: bytes) -> tuple[str, bytes] | None:
    """Return the form and the bytes of hex, base64, base64url, or of a Python bytes literal."""
    if _LITERAL.fullmatch(data[:_MAX_LITERAL]) and len(data) <= _MAX_LITERAL:
        try:
            literal = ast.literal_eval(data.strip().decode("latin-1"))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        return ("a Python bytes literal", literal) if isinstance(literal, bytes) else None
    try:
        found = decode_input(data)
    except DocumentError:
        return None
    return None if found.form in ("raw", "json", "pem") else (found.form, found.data)


def longest_run(data: bytes) -> tuple[str, bytes] | None:
    """Return the longest run of base64 or hex within a text, as of a line in a log."""
    runs = sorted(_RUN.findall(data), key=len, reverse=True)
    for run in runs[:4]:
        found = as_text(run)
        if found is not None:
            return f"{found[0]} within the text", found[1]
    return None


def unzipped(data: bytes) -> bytes | None:
    """Return what gzip holds, up to `MAX_UNZIPPED_BYTES`; None where it is no whole gzip."""
    reader = zlib.decompressobj(wbits=31)
    try:
        out = reader.decompress(data, MAX_UNZIPPED_BYTES)
    except zlib.error:
        return None
    return out if reader.eof else None
