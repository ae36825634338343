"""A connection that keeps nobody waiting: uvicorn's protocol with limits on a request's head.

Uvicorn limits the pause between two requests; a client that sends the head of one byte by byte, or
without an end, is ours to stop, and so is one that leaves its answer unread. (Pauses inside a body:
see `incoming`.)
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.http.gathering import Gathering

__all__ = ["PatientProtocol"]


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection that is one too many, too slow with its head, too long, or stalled."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._content: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Start to wait for the first head."""
        if len(self.connections) >= budgets.CONNECTIONS:
            transport.abort()
        super().connection_made(Gathering(transport))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        self._stop_timer()
        self._stop_stalling()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start to wait for a client that does not read."""
        super().pause_writing()
        loop = asyncio.get_running_loop()
        self._stall_timer = loop.call_later(budgets.STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop to wait: it reads."""
        self._stop_stalling()
        super().resume_writing()

    def _stop_stalling(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what comes while a head is not complete counts as head."""
        super().data_received(data)
        self._hand_on()
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > budgets.HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Start to wait for the head that begins here."""
        super().on_message_begin()
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Stop to wait: uvicorn takes the request from here."""
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Gather what one read brings, which may be many pieces of HTTP's chunked coding."""
        self._content.append(body)

    def on_message_complete(self) -> None:
        """Hand on what belongs to this request before the next one begins."""
        self._hand_on()
        super().on_message_complete()

    def _hand_on(self) -> None:
        if not self._content:
            return
        cycle: Any = self.cycle
        body, self._content = b"".join(self._content), []
        if cycle.body:
            super().on_body(body)
        elif not cycle.response_complete:
            # In uvicorn's place of it, so that what it makes of its bytes copies nothing.
            cycle.body = b""
            super().on_body(body)

    def shutdown(self) -> None:
        """Close the connection if it is idle, without waiting long for its TLS farewell."""
        super().shutdown()
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            asyncio.get_running_loop().call_later(budgets.FAREWELL_SECONDS, self.transport.abort)

    def _start_timer(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(budgets.HEAD_SECONDS, self.transport.abort)
            self._head_bytes = 0

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
