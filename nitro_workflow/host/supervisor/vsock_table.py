"""What is known of each socket that was given out: its addresses, and what was not heard.

The supervisor keeps no copy: close, end of stream and epoll are the kernel's own. A socket is known
by its cookie, which the kernel never gives twice.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nitro_workflow.host.supervisor.fabric import CID_ANY, PORT_ANY

__all__ = ["SOCKETS", "Address", "VsockSocket", "VsockTable", "forbid_descriptors"]

SOCKETS: Final = 4096
"""Open vsock sockets of one machine."""

PAUSE: Final = 1.0
"""Seconds between two looks at what is still open: it takes some milliseconds."""

_COOKIE: Final = 57  # SO_COOKIE
_PASSRIGHTS: Final = 83  # SO_PASSRIGHTS, Linux 6.16

Address = tuple[int, int]
"""CID and port."""

_libc: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class VsockSocket:
    """``unheard``: a bind or connect that was made, but whose caller was interrupted meanwhile.

    ``returned``: accepted connections that the caller did not take; the next one gets them.
    ``is_broken``: it was connected, and refused: it will not be again.
    """

    inode: int
    local: Address = (CID_ANY, PORT_ANY)
    peer: Address | None = None
    unheard: tuple[int, int, int] | None = None
    returned: deque[tuple[socket.socket, Address]] = field(default_factory=deque)
    is_broken: bool = False


class VsockTable:
    """The sockets of one machine, at most `SOCKETS`."""

    def __init__(self, limit: int = SOCKETS) -> None:
        self._known: dict[bytes, VsockSocket] = {}
        self._limit = limit
        self._next_look = 0.0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, descriptor: int) -> VsockSocket | None:
        """Return what is known of a socket; None for any other file."""
        cookie = _cookie(descriptor)
        return self._known.get(cookie) if cookie else None

    def add(
        self, sock: socket.socket, local: Address = (CID_ANY, PORT_ANY), peer: Address | None = None
    ) -> VsockSocket:
        """Know a socket from now on; raises OSError ENFILE above the limit."""
        if len(self._known) >= self._limit:
            self._forget_closed()
        if len(self._known) >= self._limit:
            raise OSError(errno.ENFILE, "too many vsock sockets")
        forbid_descriptors(sock)
        inode = os.fstat(sock.fileno()).st_ino
        known = self._known[_cookie(sock.fileno())] = VsockSocket(inode, local, peer)
        return known

    def _forget_closed(self) -> None:
        """Forget what no process has open; called where the table is full, and not too often."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + PAUSE
        is_open = _open_sockets()
        for cookie, known in list(self._known.items()):
            if known.inode not in is_open:
                for sock, _ in known.returned:
                    sock.close()
                del self._known[cookie]


def forbid_descriptors(sock: socket.socket) -> None:
    """Let no file be sent to the holder: vsock carries bytes. Before Linux 6.16 there is no way."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _PASSRIGHTS, 0)


def _cookie(descriptor: int) -> bytes:
    """Return a socket's cookie; empty for another file."""
    buffer, size = ctypes.create_string_buffer(8), ctypes.c_uint32(8)
    found = _libc.getsockopt(descriptor, socket.SOL_SOCKET, _COOKIE, buffer, ctypes.byref(size))
    return buffer.raw if found == 0 else b""


def _open_sockets() -> set[int]:
    """Return the inodes of all sockets that a process which this one may look at has open."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                for entry in (process / "fd").iterdir():
                    with contextlib.suppress(OSError):
                        target = str(entry.readlink())
                        if target.startswith("socket:["):
                            found.add(int(target[8:-1]))
    return found
