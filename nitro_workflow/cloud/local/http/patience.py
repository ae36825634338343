"""A connection that keeps nobody waiting: uvicorn's protocol with limits on a request's head.

Uvicorn limits the pause between two requests; a client that sends the head of one byte by byte, or
without an end, is ours to stop, and so is one that leaves its answer unread, or that sends
thousands of requests before it reads the first answer. (Pauses inside a body: see `incoming`.)
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.http.answering import IS_CLOSING
from nitro_workflow.cloud.local.http.gathering import Gathering

__all__ = ["PatientProtocol"]


class _TooManyRequests(Exception):
    """A client sends more requests than it may before it has read an answer."""


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection that is one too many, too slow with its head, too long, or stalled."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._framing_bytes = 0  # that came since the parser last handed something on
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
        """Feed the parser, and end a head, a chunk's extension or trailers that have no end."""
        in_head = self._head_timer is not None
        room = budgets.HEAD_BYTES - self._framing_bytes if in_head else len(data)
        self._feed(data[:room])
        if data[room:] and not self.transport.is_closing():
            self._feed(data[room:])

    def _feed(self, data: bytes) -> None:
        self._framing_bytes += len(data)
        super().data_received(data)
        self._hand_on()
        if self._framing_bytes >= budgets.HEAD_BYTES:
            self.transport.abort()
        # Line ends between two requests begin no head, and have ended uvicorn's wait for one.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.response_complete:
            self._start_timer()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; not before the answer to the request under way is given."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete or self._is_its_body(cycle):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def _is_its_body(self, cycle: RequestResponseCycle) -> bool:
        """Whether what came is the body of the one request that waits for an answer."""
        return cycle.more_body and not cycle.response_started and not self.pipeline

    def on_message_begin(self) -> None:
        """Start to wait for the head that begins here."""
        if len(self.pipeline) >= budgets.PIPELINED:
            raise _TooManyRequests  # the parser stops; see `send_400_response`
        super().on_message_begin()
        self._framing_bytes = 0
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; HTTP's own trailers are none (S3's are inside the body)."""
        if self._head_timer is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop to wait: uvicorn takes the request from here."""
        self._stop_timer()
        self._framing_bytes = 0
        super().on_headers_complete()
        extensions: dict[str, Any] = {IS_CLOSING: partial(self._is_closing, self.cycle)}
        self.scope["extensions"] = extensions

    def _is_closing(self, cycle: RequestResponseCycle) -> bool:
        """Whether nobody gets what is sent for this request any more.

        Uvicorn is told: it learns of it later, not at all where another request waits behind this
        one, and would then complain of an answer that is not complete.
        """
        closing = self.transport.is_closing()
        cycle.disconnected = cycle.disconnected or closing
        return closing

    def on_body(self, body: bytes) -> None:
        """Gather what one read brings, which may be many pieces of HTTP's chunked coding."""
        self._framing_bytes = 0
        self._content.append(body)

    def on_message_complete(self) -> None:
        """Hand on what belongs to this request before the next one begins."""
        self._framing_bytes = 0
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

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
