"""The hypervisor's last descriptors: not for those who connect to it.

Without one left it could not look at what a sandbox holds, and would take it for empty, or end an
instance for what another did.
"""

from __future__ import annotations

import contextlib
import resource
from typing import TYPE_CHECKING, Final

from nitro_workflow.system_errors import RUN_OUT

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

__all__ = ["RESERVE", "gone_is_nothing", "is_of_reserve"]

RESERVE: Final = 64
"""Of a process's descriptors. A look at a sandbox takes three, a start some twenty."""


def is_of_reserve(sock: socket.socket) -> bool:
    """Tell whether a connection that was accepted has one of the last `RESERVE` descriptors.

    The kernel gives the lowest number that is free: a high one says that few are.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit != resource.RLIM_INFINITY and sock.fileno() >= limit - RESERVE


@contextlib.contextmanager
def gone_is_nothing() -> Iterator[None]:
    """Pass over what is not there any more; raises OSError where no descriptor was left to look."""
    try:
        yield
    except OSError as error:
        if error.errno in RUN_OUT:
            raise
