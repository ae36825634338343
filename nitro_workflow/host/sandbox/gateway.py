"""The vsock of an enclave without a supervisor: carries connections between two folders.

For kernels before 5.14, and where the kernel's feature is forbidden: a folder in the sandbox plays
the device, and only programs that know it can use it. Both belong to processes that are not
trusted: `parent_side` opens what is there. [src: firecracker docs/vsock.md]
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import VsockError
from nitro_workflow.host.sandbox.descriptor_reserve import is_of_reserve
from nitro_workflow.host.sandbox.parent_side import SECONDS, ParentSide, dial_below
from nitro_workflow.host.supervisor.heartbeat import HEARTBEAT
from nitro_workflow.vsock import (
    HEARTBEAT_PORT,
    PARENT_CID,
    accept_next,
    read_line,
    relay_sockets,
    run_in_thread,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Gateway"]

CONNECTIONS: Final = 128
"""Connections of one enclave at a time: a flood must not take the hypervisor's threads."""

_OUTWARD: Final = re.compile(rb"CONNECT (\d{1,10}) (\d{1,10})")
_INWARD: Final = re.compile(rb"CONNECT (\d{1,10})")


class Gateway:
    """Threads that accept on the enclave's gateway and on the parent's ``<cid>/v.sock``.

    ``approved`` is waited for before the heartbeat is answered: no image runs before it is
    measured. Owns its descriptors; `close` ends all.
    """

    def __init__(
        self, gateway: int, guest_folder: int, host_folder: int, cid: int, approved: threading.Event
    ) -> None:
        self.alive = threading.Event()  # the heartbeat was heard and answered
        self._outward = socket.socket(fileno=gateway)
        self._guest = guest_folder
        self._parent = ParentSide(host_folder, cid)
        self._approved = approved
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._inward = self._parent.listen()
        for listener, handle in ((self._outward, self._out), (self._inward, self._in)):
            name = f"vsock-{cid}"
            threading.Thread(
                target=self._accept, args=(listener, handle), name=name, daemon=True
            ).start()

    @property
    def is_listened_on(self) -> bool:
        """Whether the enclave listens on a port, or has done so."""
        # By its path: a descriptor that only names a folder (O_PATH) cannot be listed itself.
        path = f"/proc/self/fd/{self._guest}"
        with self._lock, contextlib.suppress(OSError), os.scandir(path) as entries:
            return any(it.name.isdigit() for it in entries)
        return False

    def close(self) -> None:
        """Stop listening and cut every connection."""
        for listener in (self._outward, self._inward):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        with self._lock:
            os.close(self._guest)
            self._guest = -1
        self._parent.close()

    def _accept(self, listener: socket.socket, handle: Callable[[socket.socket], None]) -> None:
        while (sock := accept_next(listener)) is not None:
            if is_of_reserve(sock) or not self._free.acquire(blocking=False):
                sock.close()
            elif not run_in_thread(self._serve, sock, handle):
                sock.close()
                self._free.release()

    def _serve(self, sock: socket.socket, handle: Callable[[socket.socket], None]) -> None:
        with self._lock:
            self._open.add(sock)
        try:
            sock.settimeout(SECONDS)
            handle(sock)
        except (OSError, VsockError):
            pass  # whoever dialled sees the connection close: that is the answer
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()
            self._free.release()

    def _out(self, sock: socket.socket) -> None:
        """From the enclave: to the hypervisor's heartbeat or to a port of the parent."""
        match = _OUTWARD.fullmatch(read_line(sock))
        if match is None or int(match[1]) != PARENT_CID:
            return
        port = int(match[2])
        if port == HEARTBEAT_PORT:
            self._heartbeat(sock)
            return
        self._carry(sock, self._parent.dial(port), port)

    def _in(self, sock: socket.socket) -> None:
        """From the parent: to a port of the enclave."""
        match = _INWARD.fullmatch(read_line(sock))
        if match is not None:
            port = int(match[1])
            self._carry(sock, dial_below(self._guest, (str(port),)), port)

    def _heartbeat(self, sock: socket.socket) -> None:
        sock.sendall(f"OK {HEARTBEAT_PORT}\n".encode())
        if sock.recv(1) == HEARTBEAT and self._approved.wait(600):
            sock.sendall(HEARTBEAT)
            self.alive.set()

    def _carry(self, sock: socket.socket, other: socket.socket, port: int) -> None:
        with self._lock:
            self._open.add(other)
        try:
            sock.sendall(f"OK {port}\n".encode())
            sock.settimeout(None)
            relay_sockets(sock, other)
        finally:
            with self._lock:
                self._open.discard(other)
            other.close()
