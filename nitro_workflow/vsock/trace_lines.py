"""Trace lines: who sent what to whom, in digests, lengths and times; never content."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["TraceWriter", "read_trace"]

FILE_LIMIT: Final = 16 << 20  # bytes read of one file; a walk's has 10 KiB


class TraceWriter:
    """Appends to a file of JSON lines; several processes may share one file.

    ``seq`` counts this writer's lines; a reader orders the lines of several writers by ``at``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seq = 0

    def append(
        self,
        *,
        step: str,
        source: str,
        target: str,
        what: str,
        size: int,
        sha256: str,
        visible_to: Sequence[str],
        job: str | None = None,
        at: datetime | None = None,
        **more: Any,
    ) -> None:
        """Add one line: ``size`` in bytes, ``sha256`` in hex; ``more`` holds counts and names only.

        ``at`` is when it began to pass, where its line is written later. Raises OSError when the
        file cannot be written.
        """
        with self._lock:
            self._seq += 1
            event = {
                "seq": self._seq,
                "job": job,
                "step": step,
                "source": source,
                "target": target,
                "what": what,
                "size": size,
                "sha256": sha256,
                "visible_to": list(visible_to),
                "at": _iso(at or datetime.now(UTC)),
                **more,
            }
            line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            # One write in append mode: lines of several processes never mix.
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_trace(path: Path) -> list[dict[str, Any]]:
    """Return the file's lines, none where there is no such plain file; the first 16 MiB of it.

    A line that is half-written, or no JSON object, is left out: the rest stands.
    """
    found = []
    for line in read_regular(path, FILE_LIMIT).decode("utf-8", "replace").splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
