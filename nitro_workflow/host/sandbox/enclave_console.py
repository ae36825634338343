"""What an enclave prints: drained always, kept in debug mode, its last words for the keyboard."""

from __future__ import annotations

import os
import threading
from typing import Final

__all__ = ["Console"]

CONSOLE_LIMIT: Final = 1 << 20
"""Bytes of a debug enclave's output that are kept: the last ones."""

LAST_WORDS: Final = 2048  # bytes


class Console:
    """The last output of an enclave; of a production enclave nothing is there to `read`."""

    def __init__(self, source: int, *, keep: bool) -> None:
        self._keep = keep
        self._data = bytearray()
        self._last = b""
        self._dropped = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain, args=(source,), daemon=True)
        self._thread.start()

    def read(self, offset: int) -> tuple[str, int]:
        """Return the text from byte ``offset`` on, and the offset after it."""
        with self._lock:
            start = max(offset - self._dropped, 0)
            data = bytes(self._data[start:])
            return data.decode("utf-8", "replace"), self._dropped + len(self._data)

    def last_words(self) -> str:
        """Return the end of it as one printable line, for the log of the person who plays AWS."""
        text = " ".join(self._last.decode("utf-8", "replace").split())
        return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

    def join(self, seconds: float) -> None:
        """Wait until the output has ended."""
        self._thread.join(seconds)

    def _drain(self, source: int) -> None:
        with os.fdopen(source, "rb", buffering=0) as stream:
            while data := stream.read(65536):
                self._last = (self._last + data)[-LAST_WORDS:]
                if not self._keep:
                    continue
                with self._lock:
                    self._data += data
                    excess = len(self._data) - CONSOLE_LIMIT
                    if excess > 0:
                        del self._data[:excess]
                        self._dropped += excess
