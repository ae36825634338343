"""The enclave's end of the parent's convention: ``<cid>/v.sock``, and the heartbeat.

Nothing is copied. The connection that the parent has made becomes the enclave's accepted socket;
so that the listener becomes readable, as any would, a *token* connects to it, and accept exchanges
the token for the connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.fabric import (
    bind_unix,
    connect_unix,
    free_port,
    name_of,
    peer_of,
    port_name,
)
from nitro_workflow.host.supervisor.heartbeat import HEARTBEAT
from nitro_workflow.host.supervisor.vsock_table import forbid_descriptors
from nitro_workflow.vsock import HEARTBEAT_PORT, PARENT_CID

if TYPE_CHECKING:
    from nitro_workflow.host.supervisor.event_loop import EventLoop
    from nitro_workflow.host.supervisor.vsock_table import Address

__all__ = ["EnclaveGate", "Heartbeat"]

CONNECTIONS: Final = 256
"""Connections of the parent that wait: for their line, and to be accepted."""

LINE_SECONDS: Final = 10.0
LINE_LIMIT: Final = 64  # bytes
BEATS: Final = 4  # that wait to be approved: an init has one

_ASKED: Final = re.compile(rb"CONNECT (\d{1,10})\n")


@dataclass(frozen=True, slots=True)
class _Offer:
    """A connection that the enclave has not accepted yet, and the token in its listener's queue."""

    token: socket.socket
    connection: socket.socket
    peer: Address


@dataclass(slots=True)
class _Caller:
    """A connection whose line is being read, for as long as ``until``."""

    connection: socket.socket
    name: bytes
    until: float
    said: bytes = b""


class EnclaveGate:
    """Takes the parent's connections from ``listener``, for the enclave ``cid``."""

    def __init__(self, listener: socket.socket, cid: int, loop: EventLoop) -> None:
        self._listener, self._cid, self._loop = listener, cid, loop
        self._asking: dict[int, _Caller] = {}
        self._offers: dict[bytes, _Offer] = {}
        forbid_descriptors(listener)  # inherited: before a connection is accepted, files may come
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._accept)

    def exchange(self, name: bytes) -> tuple[socket.socket, Address] | None:
        """Return the connection that a token stands for, and who called."""
        offer = self._offers.pop(name, None)
        if offer is None:
            return None
        self._loop.unwatch(offer.token.fileno())
        offer.token.close()
        return offer.connection, offer.peer

    def _accept(self) -> None:
        try:
            connection, address = self._listener.accept()
        except OSError:
            return
        if len(self._asking) + len(self._offers) >= CONNECTIONS:
            connection.close()
            return
        connection.setblocking(False)
        caller = _Caller(connection, os.fsencode(address), time.monotonic() + LINE_SECONDS)
        self._asking[connection.fileno()] = caller
        self._loop.watch(connection.fileno(), lambda: self._read(caller), until=caller.until)
        self._read(caller)

    def _read(self, caller: _Caller) -> None:
        """Read the line, never past it: what follows belongs to the enclave."""
        try:
            seen = caller.connection.recv(LINE_LIMIT, socket.MSG_PEEK)
            line, end, _ = seen.partition(b"\n")
            caller.said += caller.connection.recv(len(line + end)) if seen else b""
        except BlockingIOError:
            if time.monotonic() < caller.until:
                return
            end = b""
        except OSError:
            seen = end = b""
        if seen and not end and len(caller.said) < LINE_LIMIT and time.monotonic() < caller.until:
            return
        self._loop.unwatch(caller.connection.fileno())
        del self._asking[caller.connection.fileno()]
        asked = _ASKED.fullmatch(caller.said)
        if asked is None or not self._offer(caller, int(asked[1])):
            caller.connection.close()

    def _offer(self, caller: _Caller, port: int) -> bool:
        """Put a token into the listener's queue; return whether somebody listens and has room."""
        peer = peer_of(caller.name)
        peer = peer if peer is not None and peer[0] == PARENT_CID else (PARENT_CID, free_port())
        name = name_of(*peer)
        token = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if (
            bind_unix(token.fileno(), name) != 0
            or connect_unix(token.fileno(), port_name(self._cid, port)) != 0
        ):
            token.close()
            return False
        self._offers[name] = _Offer(token, caller.connection, peer)
        self._loop.watch(token.fileno(), lambda: self._withdraw(name), mask=select.EPOLLRDHUP)
        with contextlib.suppress(OSError):
            caller.connection.send(b"OK %d\n" % peer[1])
        return True

    def _withdraw(self, name: bytes) -> None:
        """Cut a connection whose listener has closed before it was accepted."""
        found = self.exchange(name)
        if found is not None:
            found[0].close()


class Heartbeat:
    """CID 3, port 9000: answers the boot's heartbeat once `approve` was called.

    [src: sdk-bootstrap init/init.c] No image runs before it is measured: its init waits here.
    """

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._approved = False
        self._waiting: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        result = bind_unix(self._listener.fileno(), port_name(PARENT_CID, HEARTBEAT_PORT))
        if result:
            raise OSError(result, "the heartbeat's port")
        self._listener.listen(4)
        loop.watch(self._listener.fileno(), self._accept)

    def approve(self) -> None:
        """Answer, from now on."""
        self._approved = True
        while self._waiting:
            _answer(self._waiting.pop())

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        until = time.monotonic() + LINE_SECONDS
        self._loop.watch(sock.fileno(), lambda: self._hear(sock, until), until=until)

    def _hear(self, sock: socket.socket, until: float) -> None:
        try:
            is_beat = sock.recv(1) == HEARTBEAT
        except BlockingIOError:
            if time.monotonic() < until:
                return
            is_beat = False
        except OSError:
            is_beat = False
        self._loop.unwatch(sock.fileno())
        if not is_beat or len(self._waiting) >= BEATS:
            sock.close()
        elif self._approved:
            _answer(sock)
        else:
            self._waiting.append(sock)


def _answer(sock: socket.socket) -> None:
    with sock, contextlib.suppress(OSError):
        sock.send(HEARTBEAT)
