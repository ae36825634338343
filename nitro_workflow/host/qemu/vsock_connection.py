"""One connection between a guest and a Unix socket, with the credit that each side has.

No more is kept for a guest than it was told it may send: one that sends more breaks the protocol,
and loses the connection. Nothing is read from the socket that the guest has no room for.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.qemu.vsock_packets import Header, Shutdown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BUFFER", "Connection", "State"]

BUFFER: Final = 128 << 10
"""Bytes kept for a connection, from the guest: what it is told as our room."""

WRAP: Final = 1 << 32


class State(enum.Enum):
    """Where a connection stands."""

    ASKED = "the guest was asked"
    OPEN = "both ends are there"
    LEFT = "the guest has ended it; what it sent is still passed on"


class Connection:
    """``guest_port`` in the guest, ``port`` at the parent; the socket is nonblocking, and owned."""

    def __init__(self, sock: socket.socket, state: State, guest_port: int, port: int) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.state = state
        self.guest_port, self.port = guest_port, port
        self.deadline: float | None = None  # for what it waits for
        self.readable = True  # there may be something to read: until recv says otherwise
        self.source_ended = False  # the socket's peer will send no more
        self.guest_ended = Shutdown(0)  # what the guest said it will not do any more
        self._kept = bytearray()  # from the guest, for the socket
        self._wrote = 0  # to the socket, in all: the guest is told modulo 2³²
        self._told = 0  # how much of it the guest knows
        self._sent = 0  # to the guest, in all
        self._guest_room = self._guest_forwarded = 0

    @property
    def key(self) -> tuple[int, int]:
        """The guest's port and ours."""
        return self.guest_port, self.port

    @property
    def credit(self) -> int:
        """Bytes that the guest has room for."""
        under_way = (self._sent - self._guest_forwarded) % WRAP
        return max(self._guest_room - under_way, 0)

    @property
    def kept(self) -> int:
        """Bytes from the guest that the socket has not taken yet."""
        return len(self._kept)

    @property
    def wants_to_tell(self) -> bool:
        """Whether the guest may believe that less than half of our room is left."""
        return self._wrote - self._told > BUFFER // 2

    def note_credit(self, header: Header) -> None:
        """Take what every packet of the guest says of its own room."""
        self._guest_room, self._guest_forwarded = header.room, header.forwarded

    def header(self, guest_cid: int, host_cid: int, operation: int, size: int, flags: int) -> bytes:
        """Return the header of a packet to the guest, which also tells it of our room."""
        self._told = self._wrote
        self._sent += size
        # type 1: a stream
        return Header(
            host_cid, guest_cid, self.port, self.guest_port, size, 1, operation, flags,
            BUFFER, self._wrote,
        ).pack()  # fmt: skip

    def guest_ends(self, flags: Shutdown) -> None:
        """Take what the guest will not do any more."""
        self.guest_ended |= flags
        if Shutdown.RECEIVE in flags:
            with contextlib.suppress(OSError):  # whoever sends on is told so
                self.sock.shutdown(socket.SHUT_RD)

    def keep(self, data: Sequence[memoryview | bytes], size: int) -> bool:
        """Pass ``size`` bytes on, or keep what is not taken; False where that is too much."""
        if self.kept + size > BUFFER or Shutdown.SEND in self.guest_ended:
            return False
        for piece in data:
            self._kept += piece
        self.flush()
        return True

    def flush(self) -> None:
        """Pass on what is kept; raises OSError where the socket's peer has gone."""
        while self._kept:
            try:
                count = self.sock.send(self._kept)
            except BlockingIOError:
                return
            del self._kept[:count]
            self._wrote += count
        if Shutdown.SEND in self.guest_ended:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def fill(self, buffers: Sequence[memoryview]) -> int | None:
        """Read into ``buffers``; returns the bytes, 0 at the end, None where nothing is there."""
        try:
            return self.sock.recvmsg_into(buffers)[0]
        except BlockingIOError:
            self.readable = False
            return None
        except OSError:
            return 0  # a reset of the socket is an end, too

    def expired(self) -> bool:
        """Whether it took too long over what it had a deadline for."""
        return self.deadline is not None and time.monotonic() > self.deadline
