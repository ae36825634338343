"""What a program asks of its vsock sockets, answered with Unix sockets.

`CONTINUE` is said of sockets that are not vsock's, so a program that swaps one for the other
meanwhile has what it could do anyhow: a Unix socket, in a network namespace where nothing is.
[src: Linux net/vmw_vsock/af_vsock.c]
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.fabric import (
    CID_ANY,
    CID_LOCAL,
    PORT_ANY,
    free_port,
)
from nitro_workflow.host.supervisor.filter_code import GET_LOCAL_CID, SOCKADDR_VM
from nitro_workflow.host.supervisor.notification import CONTINUE
from nitro_workflow.host.supervisor.pending import ANSWERED

if TYPE_CHECKING:
    from nitro_workflow.host.supervisor.caller_files import CallerFiles
    from nitro_workflow.host.supervisor.fabric import Fabric
    from nitro_workflow.host.supervisor.pending import Outcome, PendingCall
    from nitro_workflow.host.supervisor.vsock_table import Address, VsockSocket, VsockTable

__all__ = [
    "CONNECT_SECONDS",
    "VsockCalls",
    "address_of",
    "is_played_device",
    "put_address",
    "was_unheard",
]

LARGEST_ADDRESS: Final = 128  # struct sockaddr_storage
BUFFER_SIZE: Final = 256 * 1024  # VIRTIO_VSOCK_DEFAULT_BUF_SIZE
CONNECT_SECONDS: Final = 2.0  # VSOCK_DEFAULT_CONNECT_TIMEOUT
BIND_TRIES: Final = 64

_SIZES, _TIMEOUTS = (0, 1, 2), (6, 8)  # SO_VM_SOCKETS_BUFFER_*, SO_VM_SOCKETS_CONNECT_TIMEOUT_*
_FLAGS: Final = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_SOCKADDR: Final = struct.Struct("=HHII4x")


class VsockCalls:
    """The calls of one machine's programs that need no waiting."""

    def __init__(self, fabric: Fabric, table: VsockTable, files: CallerFiles) -> None:
        self.fabric = fabric
        self.table = table
        self._files = files

    def socket_of(self, call: PendingCall) -> tuple[int, VsockSocket | None]:
        """Return a copy of the socket that a call is about, and what is known of it."""
        descriptor = self._files.fetch(call.notification, call.notification.int_argument(0))
        call.descriptors.append(descriptor)
        return descriptor, self.table.find(descriptor)

    def make(self, call: PendingCall) -> Outcome:
        """``socket(AF_VSOCK, …)``."""
        given = call.notification
        kind, protocol = given.int_argument(1), given.int_argument(2)
        if kind & ~(0xF | _FLAGS):
            return -errno.EINVAL
        if protocol not in (0, socket.AF_VSOCK):
            return -errno.EPROTONOSUPPORT
        if kind & 0xF == socket.SOCK_DGRAM:  # no transport of an enclave carries it
            return -errno.ENODEV
        if kind & 0xF != socket.SOCK_STREAM:
            return -errno.ESOCKTNOSUPPORT
        with socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | kind & socket.SOCK_NONBLOCK
        ) as sock:
            self.table.add(sock)
            given.give(sock.fileno(), close_on_exec=bool(kind & socket.SOCK_CLOEXEC))
        return ANSWERED

    def bind(self, call: PendingCall) -> Outcome:
        """``bind``: at a port of this machine's, or at a free one."""
        descriptor, known = self.socket_of(call)
        if known is None:
            return CONTINUE
        asked = address_of(call)
        if asked is None:
            return -errno.EAFNOSUPPORT
        if was_unheard(call, known, asked):
            return 0
        cid, port = asked
        if known.local[1] != PORT_ANY or known.peer is not None:
            return -errno.EINVAL
        if cid not in (CID_ANY, CID_LOCAL, self.fabric.cid):
            return -errno.EADDRNOTAVAIL
        for chosen in [port] if port != PORT_ANY else [free_port() for _ in range(BIND_TRIES)]:
            result = self.fabric.bind(descriptor, chosen)
            if result == 0:
                known.local = cid, chosen
            if result != errno.EADDRINUSE:
                break
        return -result

    def own_name(self, call: PendingCall) -> Outcome:
        """``getsockname``."""
        _, known = self.socket_of(call)
        if known is None:
            return CONTINUE
        return self._put_name(call, known.local)

    def peer_name(self, call: PendingCall) -> Outcome:
        """``getpeername``."""
        _, known = self.socket_of(call)
        if known is None:
            return CONTINUE
        return -errno.ENOTCONN if known.peer is None else self._put_name(call, known.peer)

    def set_option(self, call: PendingCall) -> Outcome:
        """``setsockopt`` of vsock's own level: sizes and times are taken, and change nothing."""
        _, known = self.socket_of(call)
        if known is None:
            return CONTINUE
        option = call.notification.int_argument(2)
        return 0 if option in (*_SIZES, *_TIMEOUTS) else -errno.ENOPROTOOPT

    def get_option(self, call: PendingCall) -> Outcome:
        """``getsockopt``: the family, and vsock's own level."""
        _, known = self.socket_of(call)
        if known is None:
            return CONTINUE
        given = call.notification
        level, option = given.int_argument(1), given.int_argument(2)
        if level == socket.SOL_SOCKET:
            data = struct.pack("=i", socket.AF_VSOCK)
        elif option in _SIZES:
            data = struct.pack("=Q", BUFFER_SIZE)
        elif option in _TIMEOUTS:
            data = struct.pack("=qq", int(CONNECT_SECONDS), 0)
        else:
            return -errno.ENOPROTOOPT
        place, size_at = given.arguments[3:5]
        (room,) = struct.unpack("=i", given.read(size_at, 4))
        if room < 0:
            return -errno.EINVAL
        data = data[:room]
        given.write((place, data), (size_at, struct.pack("=i", len(data))))
        return 0

    def local_cid(self, call: PendingCall) -> Outcome:
        """``ioctl(/dev/vsock, IOCTL_VM_SOCKETS_GET_LOCAL_CID)``."""
        given = call.notification
        descriptor = self._files.fetch(given, given.int_argument(0))
        call.descriptors.append(descriptor)
        if given.int_argument(1) != GET_LOCAL_CID or not is_played_device(descriptor):
            return CONTINUE
        given.write((given.arguments[2], struct.pack("=I", self.fabric.cid)))
        return 0

    def _put_name(self, call: PendingCall, address: Address) -> int:
        place, size_at = call.notification.arguments[1:3]
        if not place or not size_at:
            return -errno.EFAULT
        put_address(call, place, size_at, address)
        return 0


def is_played_device(descriptor: int) -> bool:
    """Tell whether a file is /dev/vsock, or the null device, which plays it and /dev/nsm."""
    found = os.fstat(descriptor)
    return stat.S_ISCHR(found.st_mode) and found.st_rdev in _played()


@functools.cache
def _played() -> frozenset[int]:
    paths = (Path("/dev/null"), Path("/dev/vsock"))
    return frozenset(path.stat().st_rdev for path in paths if path.exists())


def put_address(call: PendingCall, place: int, size_at: int, address: Address) -> None:
    """Write a ``sockaddr_vm`` as the kernel does: cut to the room that there is, its size in full.

    Raises OSError EINVAL or EFAULT, or `Gone`.
    """
    (room,) = struct.unpack("=i", call.notification.read(size_at, 4))
    if room < 0:
        raise OSError(errno.EINVAL, "room for an address")
    data = _SOCKADDR.pack(socket.AF_VSOCK, 0, address[1], address[0])[:room]
    pieces = [(place, data)] if data else []
    call.notification.write(*pieces, (size_at, struct.pack("=i", SOCKADDR_VM)))


def address_of(call: PendingCall) -> Address | None:
    """Return the address that a call names, read once; None for another family's.

    Raises OSError EINVAL or EFAULT, or `Gone`.
    """
    size = call.notification.int_argument(2)
    if not SOCKADDR_VM <= size <= LARGEST_ADDRESS:
        raise OSError(errno.EINVAL, "size of an address")
    data = call.notification.read(call.notification.arguments[1], SOCKADDR_VM)
    family, _, port, cid = _SOCKADDR.unpack(data)
    return (cid, port) if family == socket.AF_VSOCK else None


def was_unheard(call: PendingCall, known: VsockSocket, asked: Address) -> bool:
    """Tell whether this very call was made already, and its caller interrupted before the answer.

    It is told when this time too nobody hears.
    """
    key = (call.notification.number, *asked)

    def remember() -> None:
        known.unheard = key

    call.on_unheard = remember
    before, known.unheard = known.unheard, None
    return before == key
