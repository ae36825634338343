"""The network of a sandbox: its own loopback, and on it the sockets that are served from outside.

A socket belongs to the network namespace that it was made in, whoever holds it: what listens here
is reached from the sandbox alone, and accepted by the hypervisor. Imported by the bootstrap: only
the standard library.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bring_up", "listen"]

BACKLOG: Final = 64
"""Connections that wait to be accepted: the hypervisor comes a moment after the program starts."""

# [src: Linux uapi/linux/sockios.h and uapi/linux/if.h; struct ifreq has 40 bytes]
_SET_FLAGS: Final = 0x8914
_SET_ADDRESS: Final = 0x8916
_SET_NETMASK: Final = 0x891C
_UP: Final = 0x1 | 0x40
_HERE_ALREADY: Final = ("0.0.0.0", "::", "::1")  # noqa: S104 - every address of this namespace


def bring_up() -> None:
    """Bring loopback up, with 127.0.0.1 and ::1. Needs CAP_NET_ADMIN; raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("=16sH22x", b"lo", _UP))


def listen(places: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """Give loopback, which is up, the addresses, and return a listener for each.

    Needs CAP_NET_ADMIN, and below port 1024 CAP_NET_BIND_SERVICE, of a network namespace that is
    the caller's own. Raises OSError.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for number, (address, _) in enumerate(places):
            if not address.startswith("127.") and address not in _HERE_ALREADY:
                label = f"lo:{number}".encode()
                _set(control, _SET_ADDRESS, label, address)
                _set(control, _SET_NETMASK, label, "255.255.255.255")
    listeners: list[socket.socket] = []
    try:
        for address, port in places:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listeners.append(socket.socket(family, socket.SOCK_STREAM))
            listeners[-1].bind((address, port))
            listeners[-1].listen(BACKLOG)
    except OSError:
        for it in listeners:
            it.close()
        raise
    return listeners


def _set(control: socket.socket, request: int, label: bytes, address: str) -> None:
    packed = socket.inet_aton(address)
    fcntl.ioctl(control, request, struct.pack("=16sHH4s16x", label, socket.AF_INET, 0, packed))
