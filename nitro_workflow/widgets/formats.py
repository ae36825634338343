"""The one formatter: values that vary between runs appear in these few fixed forms only.

``tests/notebooks/sanitize.cfg`` matches exactly these, so that committed outputs can be compared.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["duration", "file_count", "moment", "sentence", "short", "size"]


DEPTH = 8
"""Levels of a JSON value that are shown: records of the cloud and the lab have four at most."""


def size(count: int) -> str:
    """Return ``4,498 bytes``."""
    return f"{count:,} bytes"


def file_count(count: int) -> str:
    """Return ``1 file``, ``1,204 files``."""
    return f"{count:,} {'file' if count == 1 else 'files'}"


def duration(seconds: float) -> str:
    """Return ``1,234 ms``."""
    return f"{round(seconds * 1000):,} ms"


def moment(seconds: float) -> str:
    """Return seconds since 1970 as ``2026-11-25T00:13:47Z``; as a number beyond the calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:,.0f} s after 1970"


def sentence(text: str) -> str:
    """Return a text as a sentence: a capital first, a full stop last.

    A name that begins it, such as ``aws:PrincipalArn``, stays as it is written.
    """
    if not text:
        return ""
    named = ":" in text.partition(" ")[0].rstrip(":")
    first = text[:1] if named else text[:1].upper()
    return f"{first}{text[1:]}" + ("" if text.endswith((".", "!", "?", "…")) else ".")


def short(value: object) -> str:
    """Return a JSON value as one short text: lists by their items, mappings as ``key=value``.

    A value below `DEPTH` levels of others is left out.
    """
    return _short(value, DEPTH)


def _short(value: object, depth: int) -> str:
    if not depth:
        return "…"
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_short(item, depth - 1)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_short(item, depth - 1) for item in value)
    return str(value)
