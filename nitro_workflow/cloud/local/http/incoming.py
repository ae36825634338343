"""A request's body as it comes off the socket: in pieces, with patience, read to its end or ended.

An answer that is given before its body was read must not leave the rest to be taken for the next
request: what is small is read away, and otherwise the connection is closed after the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.http.intake_plan import MAX_PLAIN_BYTES
from nitro_workflow.cloud.local.protocol import RawRequest, RawResponse, read_decimal

if TYPE_CHECKING:
    from starlette.types import Receive

__all__ = ["BODY_PAUSE_S", "Disconnected", "Incoming"]

# Seconds between two pieces of a body. A sender that is slower holds no connection for ever.
BODY_PAUSE_S = 30.0
# Bytes of an unwanted body that are read away so that its sender sees the answer.
_DISCARDED_BYTES = 8 * 1024**2


class Disconnected(Exception):
    """The client went away; there is nobody to answer."""


@dataclass(slots=True)
class Incoming:
    """The body of one request; `complete` once all of it has been taken."""

    request: RawRequest
    receive: Receive
    complete: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what comes.

        Raises:
            ServiceFault: RequestTimeout.
            Disconnected: the client hung up.
        """
        while not self.complete:
            try:
                async with asyncio.timeout(BODY_PAUSE_S):
                    message = await self.receive()
            except TimeoutError:
                raise ServiceFault(
                    "RequestTimeout",
                    "Your socket connection to the server was not read from or written to within "
                    "the timeout period.",
                ) from None
            if message["type"] == "http.disconnect":
                raise Disconnected
            self.complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def whole(self) -> bytes:
        """Return a body that is no object's.

        Raises:
            ServiceFault: longer than `MAX_PLAIN_BYTES`; or as `pieces`.
        """
        if self._stated > MAX_PLAIN_BYTES:
            raise _too_large()
        content = bytearray()
        async for piece in self.pieces():
            content += piece
            if len(content) > MAX_PLAIN_BYTES:
                raise _too_large()
        return bytes(content)

    async def settle(self, response: RawResponse) -> RawResponse:
        """Return the answer to send: with ``connection: close`` where body is left over."""
        if not self.complete and self._stated <= _DISCARDED_BYTES and not self._waits:
            left = _DISCARDED_BYTES
            async for piece in self.pieces():
                left -= len(piece)
                if left < 0:
                    break
        if self.complete:
            return response
        return replace(response, headers={**response.headers, "connection": "close"})

    @property
    def _stated(self) -> int:
        return read_decimal(self.request.headers.get("content-length", "0")) or 0

    @property
    def _waits(self) -> bool:
        """Whether the client sends its body only when it is asked to (RFC 9110 §10.1.1)."""
        return self.request.headers.get("expect", "").lower() == "100-continue"


def _too_large() -> ServiceFault:
    return ServiceFault(
        "RequestEntityTooLargeException",
        f"The request's body is larger than the {MAX_PLAIN_BYTES} bytes allowed.",
        413,
    )
