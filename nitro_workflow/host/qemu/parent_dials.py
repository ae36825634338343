"""What a parent says before it is connected to an enclave: ``CONNECT <port>``, answered ``OK``.

[src: firecracker docs/vsock.md] Nobody is waited for: a parent that says nothing, or half a line,
or too much, costs a socket for some seconds.
"""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.qemu.device_loop import Watcher

__all__ = ["ParentDials"]

SECONDS: Final = 10.0  # for the line
LINE: Final = 64  # bytes of it

_CONNECT: Final = re.compile(rb"CONNECT (\d{1,10})\n")


class ParentDials:
    """Accepts on ``listener``, and hands each socket with its port to ``connect``.

    ``room`` tells whether one more may come.
    """

    def __init__(
        self,
        listener: socket.socket,
        loop: Watcher,
        connect: Callable[[socket.socket, int], None],
        room: Callable[[], bool],
    ) -> None:
        self._listener, self._loop, self._connect, self._room = listener, loop, connect, room
        self._since: dict[socket.socket, float] = {}
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._accept)

    def __len__(self) -> int:
        return len(self._since)

    def tick(self) -> None:
        """End those that took too long."""
        limit = time.monotonic() - SECONDS
        for sock in [it for it, since in self._since.items() if since < limit]:
            self._end(sock)

    def close(self) -> None:
        """Listen no more, and end those that have not said a port."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        for sock in list(self._since):
            self._end(sock)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if not self._room():
            sock.close()
            return
        sock.setblocking(False)
        self._since[sock] = time.monotonic()
        self._loop.watch(sock.fileno(), lambda: self._look(sock), edge=True)

    def _look(self, sock: socket.socket) -> None:
        """Take the line once it is there, and nothing of what follows it."""
        try:
            seen = sock.recv(LINE, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            seen = b""
        line = seen[: seen.find(b"\n") + 1]
        match = _CONNECT.fullmatch(line)
        if match is not None and int(match[1]) < 1 << 32:
            sock.recv(len(line))
            self._since.pop(sock)
            self._loop.unwatch(sock.fileno())
            self._connect(sock, int(match[1]))
        elif line or len(seen) in (0, LINE):
            self._end(sock)

    def _end(self, sock: socket.socket) -> None:
        self._since.pop(sock, None)
        self._loop.unwatch(sock.fileno())
        sock.close()
