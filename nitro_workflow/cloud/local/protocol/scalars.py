"""Scalars on the wire: text, numbers, truth, blobs, times."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

__all__ = ["read_scalar", "read_text", "write_text", "write_time"]

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# Smithy's shapes: an integer has 32 bits, a long 64.
_BITS = {"integer": 31, "long": 63}


def read_scalar(shape: Any, value: Any) -> Any:
    """Return a JSON value or a text as the shape's Python type.

    Raises `ValueError`: the text does not say such a value. Raises `TypeError`: a JSON value of
    another type.
    """
    kind = shape.type_name
    if kind == "blob":
        return _blob(value)
    if kind == "boolean":
        return _boolean(value)
    if kind in ("integer", "long"):
        return _integer(value, _BITS[kind])
    if kind in ("float", "double"):
        return _float(value)
    if kind == "timestamp":
        return _time(value)
    return read_text(value)


def read_text(value: Any) -> str:
    """Return a text that can be written again: half of a surrogate pair, which JSON can hold, not.

    Raises `ValueError`: half of a surrogate pair. Raises `TypeError`: no text.
    """
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} can not be converted to a String")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair is not text") from None
    return value


def _blob(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError("a blob is base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("not a boolean")


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("not an integer")
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise ValueError("not an integer")
        value = int(value)
    if not -(2**bits) <= value < 2**bits:
        raise ValueError(f"not an integer of {bits + 1} bits")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("not a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("not a number that a double holds") from None
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _time(value: Any) -> datetime:
    """Return the time in UTC: in the first and last hours there are, other zones' have none."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            parsed = parsedate_to_datetime(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (OverflowError, OSError, TypeError, IndexError) as error:
        raise ValueError(f"not a time: {error}") from None


def write_time(value: datetime, form: str) -> str:
    """Return a time as ``iso8601``, ``rfc822`` (HTTP headers) or ``unixTimestamp``."""
    moment = value.astimezone(UTC)
    if form == "unixTimestamp":
        return str(int(moment.timestamp()))
    if form == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"


def write_text(shape: Any, value: Any, time_form: str = "iso8601") -> str:
    """Return a scalar as text for XML or a header."""
    if shape.type_name == "timestamp":
        return write_time(value, shape.serialization.get("timestampFormat", time_form))
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return str(value)
