"""``ioctl`` on /dev/nsm: the request out of the caller's memory, to the module, and back.

The module is the hypervisor's, behind a socket of datagrams: one exchange at a time, as the
kernel's driver holds a lock. [src: sdk-bootstrap kernel/nsm.patch; Linux drivers/misc/nsm.c]
"""

from __future__ import annotations

import errno
import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.notification import Gone
from nitro_workflow.host.supervisor.pending import ANSWERED

if TYPE_CHECKING:
    import socket

    from nitro_workflow.host.supervisor.event_loop import EventLoop
    from nitro_workflow.host.supervisor.pending import Outcome, PendingCall

__all__ = ["NsmCalls"]

REQUEST_LIMIT: Final = 0x1000
RESPONSE_LIMIT: Final = 0x3000
"""Bytes. [src: nsm-api src/driver/mod.rs]"""

QUEUE: Final = 256
"""Exchanges that wait: as many as an enclave may have threads."""

KEPT: Final = 64
KEPT_SECONDS: Final = 1.0
"""Answers that nobody heard: a thread that was interrupted asks again, and must not extend a PCR
twice."""

_IOVECS: Final = struct.Struct("=QQQQ")  # req_addr, req_len, resp_addr, resp_len


@dataclass(slots=True)
class _Exchange:
    call: PendingCall
    request: bytes
    place: int
    room: int


class NsmCalls:
    """The exchanges of one enclave with its module."""

    def __init__(self, module: socket.socket, loop: EventLoop) -> None:
        self._module = module
        self._waiting: deque[_Exchange] = deque()
        self._asked: _Exchange | None = None
        self._unheard: dict[tuple[int, bytes], tuple[float, bytes]] = {}
        module.setblocking(False)
        loop.watch(module.fileno(), self._hear)

    def ask(self, call: PendingCall) -> Outcome:
        """Take the request; the answer comes when the module has given it."""
        given = call.notification
        place, size, answer_at, room = _IOVECS.unpack(given.read(given.arguments[2], _IOVECS.size))
        if size > REQUEST_LIMIT:
            return -errno.EMSGSIZE
        request = given.read(place, size) if size else b""
        exchange = _Exchange(call, request, answer_at, room)
        until, response = self._unheard.pop((call.tid, request), (0.0, b""))
        if time.monotonic() < until:
            self._give(exchange, response)
        elif len(self._waiting) >= QUEUE:
            return -errno.EBUSY
        else:
            self._waiting.append(exchange)
            self._next()
        return ANSWERED

    def _next(self) -> None:
        """Ask for the first that still waits, unless the module is asked already."""
        while self._asked is None and self._waiting:
            exchange = self._waiting.popleft()
            if not exchange.call.notification.waits:
                continue
            try:
                self._module.send(exchange.request)
            except OSError:
                exchange.call.notification.answer(-errno.EIO)
            else:
                self._asked = exchange

    def _hear(self) -> None:
        try:
            response = self._module.recv(RESPONSE_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            response = b""
        exchange, self._asked = self._asked, None
        if exchange is not None:
            self._give(exchange, response)
        self._next()

    def _give(self, exchange: _Exchange, response: bytes) -> None:
        given = exchange.call.notification
        part = response[: exchange.room]
        length_at = given.arguments[2] + 24
        try:
            if response:
                pieces = [(exchange.place, part)] if part else []
                given.write(*pieces, (length_at, struct.pack("=Q", len(part))))
            heard = given.answer(0 if response else -errno.EIO)
        except Gone:
            heard = False
        except OSError:
            heard = given.answer(-errno.EFAULT)
        if not heard and response:
            self._keep(exchange, response)

    def _keep(self, exchange: _Exchange, response: bytes) -> None:
        if len(self._unheard) >= KEPT:
            self._unheard.pop(next(iter(self._unheard)))
        key = exchange.call.tid, exchange.request
        self._unheard[key] = time.monotonic() + KEPT_SECONDS, response
