"""Which CID and port is which Unix socket: seen from an enclave, and from its parent.

On the parent's side it is Firecracker's convention, one folder an instance: an enclave's
``<cid>/v.sock`` takes ``CONNECT <port>`` and answers ``OK <caller's port>``; who listens on the
parent is at ``3/v.sock_<port>``. [src: firecracker docs/vsock.md] Inside an enclave a port is a
name in the supervisor's own network namespace, where nothing else is.

A socket that calls is named first, so that the other side can be told who it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from nitro_workflow.errors import UsageError
from nitro_workflow.vsock import HEARTBEAT_PORT, PARENT_CID

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CID_ANY",
    "CID_LOCAL",
    "PORT_ANY",
    "EnclaveFabric",
    "Fabric",
    "ParentFabric",
    "Way",
    "bind_unix",
    "connect_unix",
    "free_port",
    "name_of",
    "peer_of",
    "port_name",
    "read_name",
]

CID_ANY: Final = 0xFFFFFFFF
PORT_ANY: Final = 0xFFFFFFFF
CID_LOCAL: Final = 1
"""[src: Linux uapi/linux/vm_sockets.h]"""

FIRST_CID: Final = 4
"""The first that an enclave may have. [src: nitro-cli]"""

FREE_PORTS: Final = (1 << 15, 1 << 31)
"""Where ports that nobody chose are taken from."""

_UNIX_NAME: Final = 110  # bytes of a struct sockaddr_un

_libc: Final = ctypes.CDLL(None, use_errno=True)
_free: Final = itertools.count(int.from_bytes(os.urandom(2), "big"))


@dataclass(frozen=True, slots=True)
class Way:
    """Where to connect: an address of AF_UNIX, and the line that its listener expects first."""

    address: bytes
    line: bytes = b""


class Fabric(Protocol):
    """One machine's side of vsock: an enclave's, or a parent's."""

    cid: int

    def bind(self, descriptor: int, port: int) -> int:
        """Let the socket ``descriptor`` be found at ``port``; return 0 or the error's number."""

    def way(self, cid: int, port: int) -> contextlib.AbstractContextManager[Way | None]:
        """Give the way to ``(cid, port)``, None where nobody can be."""


class EnclaveFabric:
    """An enclave: it reaches its parent and itself.

    ``folder`` is a descriptor of the instance's, once it is known.
    """

    def __init__(self, cid: int) -> None:
        self.cid = cid
        self.folder: int | None = None

    def bind(self, descriptor: int, port: int) -> int:
        """Name the listener; the kernel lets the name go with it."""
        return bind_unix(descriptor, port_name(self.cid, port))

    @contextlib.contextmanager
    def way(self, cid: int, port: int) -> Iterator[Way | None]:
        """To the parent's port by its folder, to one of its own by name."""
        if cid in (CID_LOCAL, self.cid) or (cid, port) == (PARENT_CID, HEARTBEAT_PORT):
            yield Way(port_name(cid if cid == PARENT_CID else self.cid, port))
        elif cid == PARENT_CID and self.folder is not None:
            with _found(self.folder, str(PARENT_CID), f"v.sock_{port}") as address:
                yield Way(address) if address else None
        else:
            yield None


class ParentFabric:
    """The parent, CID 3: ``folder`` is the instance's, with a subfolder a CID.

    Raises `UsageError` where it is none.
    """

    cid = PARENT_CID

    def __init__(self, folder: Path) -> None:
        try:
            self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(
                f"{folder}: {error.strerror}",
                expected="an instance's vsock folder",
                where="vsock",
                next="start the instance first: it makes the folder",
            ) from error
        with contextlib.suppress(FileExistsError):
            os.mkdir(str(PARENT_CID), 0o700, dir_fd=self._folder)

    def bind(self, descriptor: int, port: int) -> int:
        """Put the listener into the folder; one whose program was killed gives way.

        The folder may belong to programs that are supervised: no link is followed in it.
        """
        name, flags = f"v.sock_{port}", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            place = os.open(str(PARENT_CID), flags, dir_fd=self._folder)
        except OSError as error:
            return error.errno or errno.EACCES
        try:
            address = f"/proc/self/fd/{place}/{name}".encode()
            result = bind_unix(descriptor, address)
            if result == errno.EADDRINUSE and _is_dead(place, name):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=place)
                result = bind_unix(descriptor, address)
            return result
        finally:
            os.close(place)

    @contextlib.contextmanager
    def way(self, cid: int, port: int) -> Iterator[Way | None]:
        """To an enclave by its ``v.sock``, to the parent itself directly."""
        parts: tuple[str, str]
        if cid in (CID_LOCAL, PARENT_CID):
            parts, line = (str(PARENT_CID), f"v.sock_{port}"), b""
        elif FIRST_CID <= cid < CID_ANY:
            parts, line = (str(cid), "v.sock"), b"CONNECT %d\n" % port
        else:
            yield None
            return
        with _found(self._folder, *parts) as address:
            yield Way(address, line) if address else None


def port_name(cid: int, port: int) -> bytes:
    """Return the name of what listens at a port of the supervisor's own network namespace."""
    return b"\0vsock.%d.%d" % (cid, port)


def name_of(cid: int, port: int) -> bytes:
    """Return a name for a socket that calls as ``(cid, port)``; no two are the same."""
    return b"\0vsock.%d.%d.%d.%d" % (cid, port, next(_free), os.getpid())


def peer_of(name: bytes) -> tuple[int, int] | None:
    """Return who called, by the name of its socket; None where that says nothing.

    >>> peer_of(name_of(16, 40000)), peer_of(b"/run/vsock/3/v.sock_8000"), peer_of(b"")
    ((16, 40000), (3, 8000), None)
    """
    tail = name.rstrip(b"\0").rpartition(b"/")[2]
    if tail.startswith(b"v.sock_"):
        tail = b"\0vsock.%d." % PARENT_CID + tail.removeprefix(b"v.sock_")
    numbers = tail.removeprefix(b"\0vsock.").split(b".")[:2]
    if not tail.startswith(b"\0vsock.") or not all(map(_is_number, numbers)) or len(numbers) < 2:
        return None
    return int(numbers[0]), int(numbers[1])


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 10 and int(text) <= CID_ANY


def free_port() -> int:
    """Return a port that was not given lately."""
    first, end = FREE_PORTS
    return first + next(_free) % (end - first)


def bind_unix(descriptor: int, name: bytes) -> int:
    """Bind; return 0 or the error's number."""
    address = _packed(name)
    return 0 if _libc.bind(descriptor, address, len(address)) == 0 else ctypes.get_errno()


def connect_unix(descriptor: int, name: bytes) -> int:
    """Connect; return 0 or the error's number."""
    address = _packed(name)
    return 0 if _libc.connect(descriptor, address, len(address)) == 0 else ctypes.get_errno()


def read_name(buffer: bytes, size: int) -> bytes:
    """Return the name in a ``struct sockaddr_un`` of which the kernel wrote ``size`` bytes."""
    return buffer[2 : min(size, _UNIX_NAME)]


def _packed(name: bytes) -> bytes:
    return struct.pack("=H", socket.AF_UNIX) + name + (b"" if name[:1] == b"\0" else b"\0")


@contextlib.contextmanager
def _found(folder: int, *names: str) -> Iterator[bytes]:
    """Give an address of the socket at ``names`` below ``folder``; empty where there is none.

    What is there belongs to others: no link is followed, and it must be a socket.
    """
    at = os.dup(folder)
    try:
        for name in names:
            last = name is names[-1]
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if last else os.O_DIRECTORY)
            try:
                below = os.open(name, flags, dir_fd=at)
            except OSError:
                yield b""
                return
            os.close(at)
            at = below
        yield b"/proc/self/fd/%d" % at if stat.S_ISSOCK(os.fstat(at).st_mode) else b""
    finally:
        os.close(at)


def _is_dead(folder: int, name: str) -> bool:
    """Tell whether nobody listens: a socket of another kind asks, and disturbs no one."""
    with (
        _found(folder, name) as address,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe,
    ):
        return bool(address) and connect_unix(probe.fileno(), address) == errno.ECONNREFUSED
