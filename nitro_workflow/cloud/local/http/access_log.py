"""The server's log: one JSON object a line on standard error, requests and warnings alike.

An exception is logged by its type only: its text and its frames may hold what must not be logged.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["log_warnings", "make_access_log"]


class _JsonLines(logging.Formatter):
    """Formats a record as ``{"at", "level", "logger", "message", "exception"?}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        entry = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = record.exc_info[0].__name__
        return _line(entry)


def _line(entry: Mapping[str, Any]) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"at": at, **entry})


def log_warnings() -> None:
    """Send every logger's warnings and errors to standard error as JSON lines.

    Uvicorn warns of each request that is no HTTP: a stranger would write the log full with them.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def make_access_log(wanted: bool) -> Callable[[Mapping[str, Any]], None]:
    """Return what writes one JSON object a request to standard error, or nothing."""
    if not wanted:
        return lambda _entry: None
    return lambda entry: print(_line(entry), file=sys.stderr, flush=True)
