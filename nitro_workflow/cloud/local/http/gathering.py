"""A transport on which an answer's head goes out with its body: one TLS record, one wake-up.

Uvicorn writes the two apart. A client on the same machine then wakes at the head, takes the
processor, finds no body, and sleeps again: twice the switches for each small answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Gathering"]

_HELD_BYTES = 2048  # a head; what is longer is content, and goes out at once


class Gathering(asyncio.Transport):
    """Holds a short write back until the next write, or until the loop's next round.

    Never more than one short write is held, so that flow control stays the transport's.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, with what is held before it; a short piece that comes first waits."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif len(data) <= _HELD_BYTES:
            self._held = bytes(data)
            self._loop.call_soon(self._release)
        else:
            self._transport.write(data)

    def _release(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)

    def close(self) -> None:
        """Send what is held, then close."""
        self._release()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what is held is not sent."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Let the kernel hold what comes."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what comes again."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows of the connection."""
        return self._transport.get_extra_info(name, default)
