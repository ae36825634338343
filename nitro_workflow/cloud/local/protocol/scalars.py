"""Scalars on the wire: text, numbers, truth, blobs, times."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

__all__ = ["read_scalar", "write_text", "write_time"]


def read_scalar(shape: Any, value: Any) -> Any:
    """Return a JSON value or a text as the shape's Python type.

    Raises:
        ValueError: the text does not say such a value.
        TypeError: a JSON value of another type.
    """
    kind = shape.type_name
    if kind == "blob":
        return _blob(value)
    if kind == "boolean":
        return _boolean(value)
    if kind in ("integer", "long"):
        return _integer(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "timestamp":
        return _time(value)
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} can not be converted to a String")
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


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("not an integer")
    return int(value)


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
    except (OverflowError, OSError) as error:
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
