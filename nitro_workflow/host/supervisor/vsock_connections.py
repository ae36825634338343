"""connect and accept: the two calls of vsock that may have to wait.

A blocking program waits in its call, whose answer comes later; the supervisor never does.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.fabric import (
    CID_ANY,
    PORT_ANY,
    bind_unix,
    connect_unix,
    free_port,
    name_of,
    peer_of,
    read_name,
)
from nitro_workflow.host.supervisor.notification import CONTINUE, Gone
from nitro_workflow.host.supervisor.pending import ANSWERED, Later
from nitro_workflow.host.supervisor.vsock_calls import (
    CONNECT_SECONDS,
    address_of,
    put_address,
    was_unheard,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.supervisor.fabric import Way
    from nitro_workflow.host.supervisor.pending import Outcome, PendingCall
    from nitro_workflow.host.supervisor.vsock_calls import VsockCalls
    from nitro_workflow.host.supervisor.vsock_table import Address, VsockSocket

__all__ = ["LINE_LIMIT", "VsockConnections"]

LINE_LIMIT: Final = 64  # bytes of "OK 4294967295\n" and of what a caller may say

_SEND_TIMEOUT, _RECEIVE_TIMEOUT = 21, 20  # SO_SNDTIMEO, SO_RCVTIMEO, with a 64-bit struct timeval
_TICK: Final = struct.pack("=qq", 0, 1)  # one microsecond: the kernel rounds up to one tick
_LISTENS: Final = 30  # SO_ACCEPTCONN
_FLAGS: Final = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC

_libc: Final = ctypes.CDLL(None, use_errno=True)


class VsockConnections:
    """connect and accept of one machine's programs.

    ``exchange`` gives what an accepted socket of that name stands for, and who called.
    """

    def __init__(
        self,
        calls: VsockCalls,
        exchange: Callable[[bytes], tuple[socket.socket, Address] | None] | None = None,
    ) -> None:
        self._calls = calls
        self._exchange = exchange

    # -- connect ----------------------------------------------------------------------------------

    def connect(self, call: PendingCall) -> Outcome:
        """``connect``; a peer that is not there resets, as vsock's does."""
        call.close()
        descriptor, known = self._calls.socket_of(call)
        if known is None:
            return CONTINUE
        asked = address_of(call)
        if asked is None:
            return -errno.EAFNOSUPPORT
        if was_unheard(call, known, asked):
            return 0
        if known.peer is not None:
            return -errno.EISCONN
        if known.is_broken or asked[1] == PORT_ANY:
            return -errno.ECONNRESET
        with self._calls.fabric.way(*asked) as way:
            if way is None or not self._name(descriptor, known):
                return -errno.ECONNRESET
            return self._go(call, descriptor, known, asked, way)

    def _name(self, descriptor: int, known: VsockSocket) -> bool:
        """Give the caller's socket the name that says who it is."""
        if known.local[1] != PORT_ANY:
            return True
        port = free_port()
        if bind_unix(descriptor, name_of(self._calls.fabric.cid, port)) != 0:
            return False  # it has named itself, which only a trick can do
        known.local = CID_ANY, port
        return True

    def _go(
        self, call: PendingCall, descriptor: int, known: VsockSocket, asked: Address, way: Way
    ) -> Outcome:
        waits = _is_blocking(descriptor)
        result = _bounded(descriptor, _SEND_TIMEOUT, waits, lambda: _connect(descriptor, way))
        if result == errno.EAGAIN and waits:  # as many wait already as its backlog holds
            if call.deadline is None:
                call.deadline = time.monotonic() + CONNECT_SECONDS
            is_late = time.monotonic() >= call.deadline
            return -errno.ETIMEDOUT if is_late else Later(self.connect)
        if result:
            return -errno.ECONNRESET
        if way.line:
            data = way.line
            _libc.send(descriptor, data, len(data), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            call.deadline = time.monotonic() + CONNECT_SECONDS
            return self._greet(call, descriptor, known, asked)
        known.local, known.peer = (self._calls.fabric.cid, known.local[1]), asked
        return 0

    def _greet(
        self, call: PendingCall, descriptor: int, known: VsockSocket, asked: Address
    ) -> Outcome:
        """Read ``OK <port>``, and nothing of what follows it; the port is the caller's own."""
        buffer = ctypes.create_string_buffer(LINE_LIMIT)
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        got = _libc.recv(descriptor, buffer, LINE_LIMIT, flags)
        line, end, _ = buffer.raw[: max(got, 0)].partition(b"\n")
        is_late = call.deadline is not None and time.monotonic() >= call.deadline
        if got < 0 and ctypes.get_errno() == errno.EAGAIN and not is_late:
            return Later(
                lambda it: self._greet(it, descriptor, known, asked), descriptor, call.deadline
            )
        if not end or not line.startswith(b"OK ") or not line[3:].isdigit():
            known.is_broken = True
            return -errno.ETIMEDOUT if is_late else -errno.ECONNRESET
        _libc.recv(descriptor, buffer, len(line) + 1, socket.MSG_DONTWAIT)
        port = known.local[1] if known.local[0] != CID_ANY else int(line[3:]) & PORT_ANY
        known.local, known.peer = (self._calls.fabric.cid, port), asked
        return 0

    # -- accept -----------------------------------------------------------------------------------

    def accept(self, call: PendingCall) -> Outcome:
        """``accept``."""
        return self._accept(call, 0)

    def accept4(self, call: PendingCall) -> Outcome:
        """``accept4``."""
        return self._accept(call, call.notification.int_argument(3))

    def _accept(self, call: PendingCall, flags: int) -> Outcome:
        call.close()
        descriptor, known = self._calls.socket_of(call)
        if known is None:
            return CONTINUE
        if flags & ~_FLAGS:
            return -errno.EINVAL
        if not known.returned:
            if not _is_readable(descriptor):
                return self._wait(call, descriptor, flags)
            result = self._take(descriptor, known)
            if result == errno.EAGAIN:  # another took it meanwhile
                return self._wait(call, descriptor, flags)
            if result:
                return -result
        return self._hand_over(call, known, flags)

    def _wait(self, call: PendingCall, descriptor: int, flags: int) -> Outcome:
        if not _integer_option(descriptor, _LISTENS):
            return -errno.EINVAL
        if not _is_blocking(descriptor):
            return -errno.EAGAIN
        if call.deadline is None:
            seconds, micro = struct.unpack("=qq", _raw_option(descriptor, _RECEIVE_TIMEOUT, 16))
            if seconds or micro:
                call.deadline = time.monotonic() + seconds + micro / 1e6
        elif time.monotonic() >= call.deadline:
            return -errno.EAGAIN
        return Later(lambda it: self._accept(it, flags), descriptor, call.deadline)

    def _take(self, descriptor: int, known: VsockSocket) -> int:
        """Accept one connection, and put it where the caller's is taken from; return 0 or errno."""
        buffer, size = ctypes.create_string_buffer(128), ctypes.c_uint32(110)
        number = _bounded(
            descriptor,
            _RECEIVE_TIMEOUT,
            _is_blocking(descriptor),
            lambda: _accept(descriptor, buffer, size),
        )
        if number < 0:
            return -number
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, number)
        name = read_name(buffer.raw, size.value)
        peer = peer_of(name) or (CID_ANY, free_port())
        found = self._exchange(name) if self._exchange else None
        if found is not None:
            sock.close()
            sock, peer = found
        local = self._calls.fabric.cid, known.local[1]
        try:
            self._calls.table.add(sock, local, peer)
        except OSError:
            sock.close()
            raise
        known.returned.append((sock, peer))
        return 0

    def _hand_over(self, call: PendingCall, known: VsockSocket, flags: int) -> Outcome:
        """Give the first connection to the caller; what does not get there waits for the next."""
        sock, peer = known.returned[0]
        place, size_at = call.notification.arguments[1:3]
        if place:
            put_address(call, place, size_at, peer)
        os.set_blocking(sock.fileno(), not flags & socket.SOCK_NONBLOCK)
        close_on_exec = bool(flags & socket.SOCK_CLOEXEC)
        if not call.notification.give(sock.fileno(), close_on_exec=close_on_exec):
            raise Gone
        known.returned.popleft()
        sock.close()
        return ANSWERED


def _connect(descriptor: int, way: Way) -> int:
    return connect_unix(descriptor, way.address)


def _accept(descriptor: int, buffer: ctypes.Array[ctypes.c_char], size: ctypes.c_uint32) -> int:
    number = _libc.accept4(descriptor, buffer, ctypes.byref(size), socket.SOCK_CLOEXEC)
    return int(number) if number >= 0 else -ctypes.get_errno()


def _bounded(descriptor: int, option: int, waits: bool, do: Callable[[], int]) -> int:
    """Do what may wait on a blocking socket, and have it end within a tick whatever happens."""
    if not waits:
        return do()
    before = _raw_option(descriptor, option, 16)
    _libc.setsockopt(descriptor, socket.SOL_SOCKET, option, _TICK, 16)
    try:
        return do()
    finally:
        _libc.setsockopt(descriptor, socket.SOL_SOCKET, option, before, 16)


def _raw_option(descriptor: int, option: int, size: int) -> bytes:
    buffer, length = ctypes.create_string_buffer(size), ctypes.c_uint32(size)
    _libc.getsockopt(descriptor, socket.SOL_SOCKET, option, buffer, ctypes.byref(length))
    return buffer.raw


def _integer_option(descriptor: int, option: int) -> int:
    return int.from_bytes(_raw_option(descriptor, option, 4), "little", signed=True)


def _is_blocking(descriptor: int) -> bool:
    return not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_NONBLOCK


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
