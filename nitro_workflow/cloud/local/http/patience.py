"""A connection that keeps nobody waiting: uvicorn's protocol with limits on a request's head.

Uvicorn limits the pause between two requests; a client that sends the head of one byte by byte, or
without an end, is ours to stop. (Pauses inside a body: see `app.BODY_PAUSE_S`.)
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nitro_workflow.cloud.local.http.gathering import Gathering

__all__ = ["HEAD_BYTES", "HEAD_SECONDS", "PatientProtocol"]

HEAD_SECONDS = 20.0  # from the first byte (or the handshake) to the end of the headers
FAREWELL_SECONDS = 0.5  # a client that keeps an idle connection does not answer the close_notify
HEAD_BYTES = 64 * 1024  # request line and headers; S3 itself takes 8 KB of them


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request head is too slow or too long."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Start to wait for the first head."""
        super().connection_made(Gathering(transport))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what comes while a head is not complete counts as head."""
        super().data_received(data)
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Start to wait for the head that begins here."""
        super().on_message_begin()
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Stop to wait: uvicorn takes the request from here."""
        self._stop_timer()
        super().on_headers_complete()

    def shutdown(self) -> None:
        """Close the connection if it is idle, without waiting long for its TLS farewell."""
        super().shutdown()
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self.transport.abort)

    def _start_timer(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(HEAD_SECONDS, self.transport.abort)
            self._head_bytes = 0

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
