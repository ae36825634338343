"""The hypervisor's last descriptors: not for those who connect to it.

Without one left it could not look at what a sandbox holds, and would take it for empty, or end an
instance for what another did.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

__all__ = ["RESERVE", "is_of_reserve"]

RESERVE: Final = 64
"""Of a process's descriptors. A look at a sandbox takes three, a start some twenty."""


def is_of_reserve(sock: socket.socket) -> bool:
    """Tell whether a connection that was accepted has one of the last `RESERVE` descriptors.

    The kernel gives the lowest number that is free: a high one says that few are.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit != resource.RLIM_INFINITY and sock.fileno() >= limit - RESERVE
