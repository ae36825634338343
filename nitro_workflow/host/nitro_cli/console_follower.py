"""A debug enclave's console, read by a nitro-cli of its own for as long as the enclave runs.

What the console says goes by once: this keeps its last MiB, so that it can be read from any place,
again, and after the enclave has ended.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.nitro_cli.nitro_cli_call import ENVIRONMENT, ERROR_LIMIT, parse_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ConsoleFollower"]

KEPT: Final = 1 << 20
"""Bytes of the output that are kept: the last ones, as the sandbox does."""

NOTICE: Final = b"Successfully connected to the console.\n"
"""The last of what nitro-cli says before the enclave's own words. [src: nitro-cli src/lib.rs]"""

CONNECT_SECONDS: Final = 25.0
"""nitro-cli's own patience is 20 s. [src: nitro-cli src/utils.rs, CONSOLE_CONNECT_TIMEOUT]"""

END_SECONDS: Final = 5.0


class ConsoleFollower:
    """Reads the output of ``command``; raises `HostError` where it gives no console."""

    def __init__(self, command: Sequence[str]) -> None:
        self.ended = threading.Event()
        self._data = bytearray()
        self._dropped = 0
        self._lock = threading.Lock()
        self._connected = threading.Event()
        with tempfile.TemporaryFile() as errors:
            source, sink = os.pipe()
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=sink, stderr=errors, env=ENVIRONMENT
                )
            finally:
                os.close(sink)
            self._thread = threading.Thread(target=self._follow, args=(source,), daemon=True)
            self._thread.start()
            self._connected.wait(CONNECT_SECONDS)
            if not self._has_connected:
                self.close()
                errors.seek(0)
                text = errors.read(ERROR_LIMIT).decode("utf-8", "replace")
                raise parse_failure(text, self._process.returncode)

    def read(self, offset: int) -> tuple[str, int]:
        """Return the text from byte ``offset`` on, and the offset after it."""
        with self._lock:
            data = bytes(self._data[max(offset - self._dropped, 0) :])
            return data.decode("utf-8", "replace"), self._dropped + len(self._data)

    def close(self) -> None:
        """Stop reading; what was read stays."""
        self._process.kill()
        self._process.wait(END_SECONDS)
        self._thread.join(END_SECONDS)

    def _follow(self, source: int) -> None:
        head = b""
        with os.fdopen(source, "rb", buffering=0) as stream:
            while piece := stream.read(65536):
                if self._connected.is_set():
                    self._take(piece)
                    continue
                head = (head + piece)[-KEPT:]
                _, notice, rest = head.partition(NOTICE)
                if notice:
                    self._has_connected = True
                    self._take(rest)
                    self._connected.set()
        self._process.wait()
        self.ended.set()
        self._connected.set()

    _has_connected = False

    def _take(self, piece: bytes) -> None:
        with self._lock:
            self._data += piece
            excess = len(self._data) - KEPT
            if excess > 0:
                del self._data[:excess]
                self._dropped += excess
