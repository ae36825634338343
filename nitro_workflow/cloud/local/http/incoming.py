"""A request's body as it comes off the socket: in pieces, with patience, read to its end or ended.

An answer that is given before its body was read must not leave the rest to be taken for the next
request: what is small is read away, and otherwise the connection is closed after the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.protocol import RawRequest, RawResponse, read_decimal

if TYPE_CHECKING:
    from starlette.types import Receive

__all__ = ["Disconnected", "Incoming"]


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

        Raises `ServiceFault`: RequestTimeout. Raises `Disconnected`: the client hung up.
        """
        while not self.complete:
            try:
                async with asyncio.timeout(budgets.BODY_PAUSE_SECONDS):
                    message = await self.receive()
            except TimeoutError:
                raise _too_slow() from None
            if message["type"] == "http.disconnect":
                raise Disconnected
            self.complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def whole(self, limit: int) -> bytes:
        """Return a body that is held in memory.

        Raises `ServiceFault`: longer than `limit`, or in all too slow; or as `pieces`.
        """
        content = bytearray()
        try:
            async with asyncio.timeout(budgets.CALL_SECONDS):
                async for piece in self.pieces():
                    content += piece
                    if len(content) > limit:
                        raise too_large(limit)
        except TimeoutError:
            raise _too_slow() from None
        return bytes(content)

    def size(self, limit: int) -> int:
        """Return how many bytes will come, as far as the head says: `limit` where it does not.

        Raises `ServiceFault`: more than `limit`.
        """
        headers = self.request.headers
        if "content-length" not in headers:
            return limit if "transfer-encoding" in headers else 0
        if self._stated > limit:
            raise too_large(limit)
        return self._stated

    async def settle(self, response: RawResponse, most: int) -> RawResponse:
        """Return the answer to send: with ``connection: close`` where body is left over.

        `most` bytes of it are read away.
        """
        if not self.complete and self._stated <= most and not self._waits:
            await self._discard(most)
        if self.complete:
            return response
        return replace(response, headers={**response.headers, "connection": "close"})

    async def _discard(self, left: int) -> None:
        """Read away what is left, as long as it is not much and comes soon."""
        with contextlib.suppress(ServiceFault, TimeoutError):
            async with asyncio.timeout(budgets.DISCARD_SECONDS):
                async for piece in self.pieces():
                    left -= len(piece)
                    if left < 0:
                        return

    @property
    def _stated(self) -> int:
        stated = read_decimal(self.request.headers.get("content-length", "0"))
        # The parser has let digits pass; a number that is none to us is larger than any limit.
        return sys.maxsize if stated is None else stated

    @property
    def _waits(self) -> bool:
        """Whether the client sends its body only when it is asked to (RFC 9110 §10.1.1)."""
        return self.request.headers.get("expect", "").lower() == "100-continue"


def too_large(limit: int) -> ServiceFault:
    """Return the refusal of a body above its limit."""
    return ServiceFault(
        "RequestEntityTooLargeException",
        f"The request's body is larger than the {limit} bytes allowed.",
        413,
    )


def _too_slow() -> ServiceFault:
    return ServiceFault(
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout "
        "period.",
    )
