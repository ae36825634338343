"""What a proxy keeps of what it carried: the newest pieces, as they passed, for looking at.

They are ciphertext where the ends speak TLS; a proxy has nothing else. Two files take turns, so
that what is kept stays small however long a connection lasts.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PIECES_FILE", "PieceKeeper", "read_pieces"]

PIECES_FILE: Final = "pieces.jsonl"
"""In the instance's folder, beside its trace."""

LIMIT: Final = 256 * 1024
"""Bytes of one of the two files: a call to KMS and its answer need 15 KiB."""

_OLDER: Final = ".older"


class PieceKeeper:
    """Appends pieces to a file; where it is full it becomes the older one, and that goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def keep(self, source: str, target: str, data: bytes) -> None:
        """Add one piece. Raises nothing: a full disk must not cut an enclave off."""
        piece = {
            "at": time.time(),
            "source": source,
            "target": target,
            "data": b64encode(data).decode(),
        }
        line = json.dumps(piece, separators=(",", ":")).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._append(line)

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, line)
            full = os.fstat(descriptor).st_size > LIMIT
        finally:
            os.close(descriptor)
        if full:
            self._path.replace(_older(self._path))


def read_pieces(path: Path, since: float, until: float) -> dict[tuple[str, str], bytes]:
    """Return (source, target) → what passed between two times (seconds since 1970), in order.

    What is no such piece is left out: whoever has the folder may have written the file.
    """
    found: dict[tuple[str, str], bytes] = {}
    for piece in _pieces(path):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if since <= float(piece["at"]) <= until:
                way = (str(piece["source"]), str(piece["target"]))
                found[way] = found.get(way, b"") + b64decode(piece["data"], validate=True)
    return found


def _pieces(path: Path) -> Iterator[dict[str, Any]]:
    for one in (_older(path), path):
        for line in read_regular(one, 2 * LIMIT).splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value


def _older(path: Path) -> Path:
    return path.with_name(path.name + _OLDER)
