"""Who may go on now: room for bodies, and turns at the work, shared among callers.

A caller is whoever holds the policies (a user, a role with all its sessions); whoever has not
signed is one caller with all others of that kind. When there is not enough for all, callers take
turns, so that one with a hundred connections gets no more than one with a single one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = ["Room", "Turns"]


class Room:
    """So much of one thing in all, and so much of it for one caller (bytes, open files).

    Used on one event loop. Who finds no room waits for it `patience` seconds at most, and no more
    than `places` of one caller wait.
    """

    def __init__(self, total: int, for_one: int, patience: float, places: int) -> None:
        self._left = total
        self._for_one = for_one
        self._patience = patience
        self._taken: dict[str, int] = {}
        self._places = places
        self._queued: dict[str, int] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def hold(self, caller: str, size: int) -> AsyncIterator[None]:
        """Hold `size` of it while the block lasts.

        Raises `ServiceFault`: SlowDown, there was no room for too long, or too many wait.
        """
        if not self._fits(caller, size):
            await self._wait(caller, size)
        self._take(caller, size)
        try:
            yield
        finally:
            self._take(caller, -size)
            self._wake()

    def _fits(self, caller: str, size: int) -> bool:
        return size <= self._left and self._taken.get(caller, 0) + size <= self._for_one

    def _take(self, caller: str, size: int) -> None:
        self._left -= size
        taken = self._taken.pop(caller, 0) + size
        if taken:
            self._taken[caller] = taken

    async def _wait(self, caller: str, size: int) -> None:
        if self._queued.get(caller, 0) >= self._places:
            raise _slow_down()
        self._queue(caller, 1)
        try:
            async with asyncio.timeout(self._patience):
                while not self._fits(caller, size):
                    turn = asyncio.get_running_loop().create_future()
                    self._waiting.append(turn)
                    await turn
        except TimeoutError:
            raise _slow_down() from None
        finally:
            self._queue(caller, -1)

    def _queue(self, caller: str, more: int) -> None:
        queued = self._queued.pop(caller, 0) + more
        if queued:
            self._queued[caller] = queued

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)


def _slow_down() -> ServiceFault:
    return ServiceFault("SlowDown", "Please reduce your request rate.", 503)


class Turns:
    """So many pieces of work at a time, callers in turn, each with so many at most.

    `at_once` 1 and `by_round` make it the event loop's own work: one piece a round of the loop, so
    that what has come in from others meanwhile is seen before the next.
    """

    def __init__(self, at_once: int, for_one: int, *, by_round: bool = False) -> None:
        self._free = at_once
        self._for_one = for_one
        self._by_round = by_round
        self._busy: dict[str, int] = {}
        self._lanes: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Do a piece of work inside the block."""
        if self._free and self._busy.get(caller, 0) < self._for_one and caller not in self._lanes:
            self._start(caller)
        else:
            await self._queue(caller)
        try:
            yield
        finally:
            if self._by_round:
                asyncio.get_running_loop().call_soon(self._end, caller)
            else:
                self._end(caller)

    async def _queue(self, caller: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end(caller)  # its turn had just come: it passes
            raise

    def _start(self, caller: str) -> None:
        self._free -= 1
        self._busy[caller] = self._busy.get(caller, 0) + 1

    def _end(self, caller: str) -> None:
        self._free += 1
        left = self._busy.pop(caller) - 1
        if left:
            self._busy[caller] = left
        self._next()

    def _next(self) -> None:
        """Give the free places to the lanes that have waited longest."""
        for caller in list(self._lanes):
            if not self._free:
                return
            if self._busy.get(caller, 0) >= self._for_one:
                continue
            lane = self._lanes.pop(caller)
            while lane and lane[0].done():  # cancelled while it waited
                lane.popleft()
            if not lane:
                continue
            self._start(caller)
            lane.popleft().set_result(None)
            if lane:
                self._lanes[caller] = lane  # behind all others
