"""From an instance's network to the cloud: carries TCP connections to one address, and no other.

The listener was made in the instance's network namespace, the connections to the cloud are made in
this one. One thread for an instance, and all it may cost is bounded: beyond `CONNECTIONS` the
others wait in the kernel's queue, and what one end does not take is not read from the other.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from typing import Final

from nitro_workflow.host.sandbox.descriptor_reserve import is_of_reserve

__all__ = ["CONNECTIONS", "CloudRelay"]

CONNECTIONS: Final = 64
"""At a time: botocore keeps 10 for each client, the vsock proxy has 8."""

PIECE: Final = 64 * 1024
"""Bytes that are held for an end that is slow, in each direction."""

PAUSE: Final = 0.1  # seconds until the next try where no descriptor was left to accept with

CLOSE_SECONDS: Final = 5.0  # for the thread to end; milliseconds in fact

_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class CloudRelay:
    """Carries what is accepted on ``listener`` to ``remote``; owns the listener.

    A cloud that does not answer is a connection that is reset; the next one is tried again.
    """

    def __init__(self, listener: socket.socket, remote: tuple[str, int]) -> None:
        self._listener = listener
        self._remote = remote
        self._open: set[_End] = set()
        self._accepting = self._resting = False
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        listener.setblocking(False)
        self._thread = threading.Thread(target=self._run, daemon=True, name="cloud-relay")
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether connections are carried."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop accepting and cut every connection; may be called again."""
        with contextlib.suppress(OSError):
            self._waker.shutdown(socket.SHUT_RDWR)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            for end in list(self._open):
                self._drop(end)
            self._selector.close()
            for sock in (self._listener, self._wake, self._waker):
                sock.close()

    def _turn(self) -> bool:
        """Handle what is ready; return False once it is time to end."""
        room = len(self._open) < 2 * CONNECTIONS and not self._resting
        if room and not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._accepting and not room:
            self._selector.unregister(self._listener)
        self._accepting = room
        ready = self._selector.select(PAUSE if self._resting else None)
        self._resting = False
        for key, mask in ready:
            if key.fileobj is self._wake:
                return False
            if key.fileobj is self._listener:
                self._accept()
            elif key.data in self._open:  # an earlier one of this round may have ended it
                self._move(key.data, mask)
        return True

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._resting = True  # no descriptor left: whoever waits would wake us at once
            return
        if is_of_reserve(sock):
            _reset(sock)
            return
        try:
            client, cloud = _pair(sock, _begun(self._remote))
        except OSError:
            _reset(sock)
            return
        self._open |= {client, cloud}
        for end in (client, cloud):
            end.watch(self._selector)

    def _move(self, end: _End, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                end.flush()
            if mask & selectors.EVENT_READ:
                end.take()
        except BlockingIOError:
            pass
        except OSError:
            self._drop(end, reset=True)
            return
        if end.done:
            self._drop(end)
            return
        for it in (end, end.other):
            it.watch(self._selector)

    def _drop(self, end: _End, *, reset: bool = False) -> None:
        for it in (end, end.other):
            self._open.discard(it)
            it.unwatch(self._selector)
            if reset:
                _reset(it.sock)
            it.sock.close()


class _End:
    """One of the two sockets of a connection; ``pending`` is what it has still to be sent."""

    other: _End

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pending = b""
        self.ended = False  # nothing more comes from it
        self._events = 0

    @property
    def done(self) -> bool:
        """Whether both directions have ended and all has been passed on."""
        return self.ended and self.other.ended and not self.pending and not self.other.pending

    def take(self) -> None:
        """Read a piece and pass it on; at the end, end the other direction too."""
        if self.ended or self.other.pending:
            return
        data = self.sock.recv(PIECE)
        self.ended = not data
        self.other.pending = data
        self.other.flush()

    def flush(self) -> None:
        """Send what is pending, as far as it goes."""
        try:
            while self.pending:
                self.pending = self.pending[self.sock.send(self.pending) :]
        except BlockingIOError:
            return
        if self.other.ended:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Wait for what this end can do next: nothing, if the other one must go first."""
        reads = selectors.EVENT_READ if not self.ended and not self.other.pending else 0
        events = reads | (selectors.EVENT_WRITE if self.pending else 0)
        if events == self._events:
            return
        if not events:
            selector.unregister(self.sock)
        elif self._events:
            selector.modify(self.sock, events, self)
        else:
            selector.register(self.sock, events, self)
        self._events = events

    def unwatch(self, selector: selectors.BaseSelector) -> None:
        """Wait for nothing."""
        if self._events:
            selector.unregister(self.sock)
            self._events = 0


def _pair(client: socket.socket, cloud: socket.socket) -> tuple[_End, _End]:
    for sock in (client, cloud):
        sock.setblocking(False)
        # A request in two pieces would wait for an acknowledgement that is delayed by 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    left, right = _End(client), _End(cloud)
    left.other, right.other = right, left
    return left, right


def _begun(remote: tuple[str, int]) -> socket.socket:
    """Return a socket that is connecting; whether it succeeds shows when it is used."""
    family, kind, protocol, _, address = socket.getaddrinfo(*remote, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    try:
        sock.connect(address)
    except BlockingIOError:
        pass
    except OSError:
        sock.close()
        raise
    return sock


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
