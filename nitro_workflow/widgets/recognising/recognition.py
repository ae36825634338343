"""Takes off one wrapping after another until what is inside is known, or nothing is left to try."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nitro_workflow.widgets.recognising.byte_signs import (
    certificates_in,
    document_in_answer,
    sign_of,
)
from nitro_workflow.widgets.recognising.json_shapes import byte_fields, inner_json, shape_of
from nitro_workflow.widgets.recognising.nearest_guess import guesses_of
from nitro_workflow.widgets.recognising.recognised import Recognised
from nitro_workflow.widgets.recognising.wrappings import (
    as_text,
    longest_run,
    pem_blocks,
    unzipped,
)

__all__ = ["MAX_RECOGNISED_BYTES", "recognise", "recognise_value"]

MAX_RECOGNISED_BYTES = 64 << 20
"""Bytes of one input that are looked at; of a longer one only so many of its first."""

_MAX_WRAPPINGS = 6
_BOM = b"\xef\xbb\xbf"


def recognise(data: bytes, *, name: str = "") -> Recognised:
    """Return what bytes are, or hold; text counts as its UTF-8. Raises nothing."""
    head = data[:MAX_RECOGNISED_BYTES]
    found = _bytes(head, _MAX_WRAPPINGS) or _unknown(head)
    return replace(found, name=name)


def recognise_value(value: object, *, name: str = "") -> Recognised:
    """Return what a value of Python or JSON is: a boto3 answer, a parsed policy. Raises nothing."""
    found = _value(value, _MAX_WRAPPINGS)
    if found is None:
        shown = repr(value)[:4000].encode("utf-8", "backslashreplace")
        found = Recognised("bytes", "a value of no known form", shown, value, guesses=_named(value))
    return replace(found, name=name)


def _named(value: object) -> tuple[str, ...]:
    if not isinstance(value, Mapping):
        return (f"a {type(value).__name__}",)
    names = ", ".join(str(name)[:40] for name in [*value][:10]) or "no fields"
    return (f"JSON with {names}: none that this package knows",)


def _unknown(data: bytes) -> Recognised:
    return Recognised("bytes", "no form that this package knows", data, guesses=guesses_of(data))


def _bytes(data: bytes, left: int) -> Recognised | None:
    """Return what raw bytes are, or what they wrap; None where nobody knows."""
    sign = sign_of(data)
    if sign is not None:
        inner = document_in_answer(data) if sign[0] == "nsm" else None
        if inner and left and (held := _inside("the NSM's answer", inner, left)):
            return held
        return Recognised(*sign, b"" if sign[0] == "private-key" else data)
    if left == 0 or not data:
        return None
    if data[:2] == b"\x1f\x8b":
        inner = unzipped(data)
        return _inside("gzip", inner, left) if inner else None
    return _wrapped_text(data.removeprefix(_BOM), left)


def _wrapped_text(text: bytes, left: int) -> Recognised | None:
    start = text.lstrip()[:1]
    if start in (b"{", b"[", b'"'):
        value = _json(text)
        if value is not None:
            found = _value(value, left - 1)
            return found and replace(found, path=("JSON", *found.path))
    if b"-----BEGIN" in text and (found := _pem(text, left)):
        return found
    form = as_text(text) or (longest_run(text) if start else None)
    return _inside(*form, left) if form else None


def _inside(form: str, data: bytes, left: int) -> Recognised | None:
    found = _bytes(data, left - 1)
    return found and replace(found, path=(form, *found.path))


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _json_lines(text)


def _json_lines(text: bytes) -> Any:
    """Read one JSON object a line, as logs have them; None where a line is none."""
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()] or None
    except (ValueError, RecursionError):
        return None


def _pem(text: bytes, left: int) -> Recognised | None:
    blocks = pem_blocks(text)
    ders = b"".join(der for label, der in blocks if label.endswith("CERTIFICATE"))
    if ders and (count := len(certificates_in(ders))):
        why = f"{count} X.509 certificate{'s' if count > 1 else ''} in PEM"
        return Recognised("certificates", why, ders, path=("PEM",))
    if any("PRIVATE" in label for label, _ in blocks):
        return Recognised(
            "private-key", "a private key in PEM; nothing of it is shown", path=("PEM",)
        )
    found = (_inside(f"PEM, {label}", data, left) for label, data in blocks)
    return next(filter(None, found), None)


def _value(value: object, left: int) -> Recognised | None:
    shape = shape_of(value)
    if shape is not None:
        return Recognised(*shape, value=value)
    if left <= 0:
        return None
    inner = inner_json(value)
    if inner is not None and (found := _value(inner.value, left - 1)):
        form = ("JSON",) if inner.was_text else ()
        return replace(found, path=(f"field {inner.name}", *form, *found.path))
    for path, data in byte_fields(value):
        found = _bytes(data, left - 1)
        if found is not None:
            return replace(found, path=(*path, *found.path))
    return None
