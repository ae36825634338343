"""The security module of an enclave, behind a line of datagrams: a request, an answer."""

from __future__ import annotations

import contextlib
import select
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nitro_workflow.nsm.messages import REQUEST_LIMIT

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from nitro_workflow.nsm import NsmModule

__all__ = ["serve_module"]


def serve_module(line: socket.socket, module: NsmModule, asked: Callable[[], None]) -> None:
    """Answer until the other end of ``line`` closes; ``asked`` is told of each request."""
    with contextlib.suppress(OSError):
        while (request := line.recv(REQUEST_LIMIT + 1)) or not _is_closed(line):
            asked()
            line.sendall(module.handle(request, datetime.now(UTC)))


def _is_closed(line: socket.socket) -> bool:
    """Tell the end of a line of datagrams from an empty one, which a program may send."""
    poll = select.poll()
    poll.register(line, select.POLLRDHUP)
    return bool(poll.poll(0))
