"""Carry bytes between two sockets, both ways, half-closing as the ends do."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["relay_sockets"]

PIPE: Final = 256 * 1024  # bytes; a pipe has 64 KiB unless it is asked for more

_UNSPLICED: Final = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))

BUFFER: Final = 64 * 1024  # bytes; vsock-proxy's 8 KiB costs a third of the throughput


def relay_sockets(
    left: socket.socket,
    right: socket.socket,
    *,
    from_left: Callable[[bytes], None] | None = None,
    from_right: Callable[[bytes], None] | None = None,
) -> None:
    """Copy until both directions have ended, then close both sockets.

    ``from_left`` and ``from_right`` see each piece before it is passed on; they must not raise.
    Where no thread is left, both are closed at once.
    """
    back = threading.Thread(target=_copy, args=(right, left, from_right), daemon=True)
    with left, right:
        try:
            back.start()
        except RuntimeError:
            return
        _copy(left, right, from_left)
        back.join()


def _copy(
    source: socket.socket, target: socket.socket, observe: Callable[[bytes], None] | None
) -> None:
    try:
        if observe is not None or not _move(source, target):
            while data := source.recv(BUFFER):
                if observe is not None:
                    observe(data)
                target.sendall(data)
    except OSError:
        # One end is gone: neither direction can go on, and both ends must notice.
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        return
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _move(source: socket.socket, target: socket.socket) -> bool:
    """Have the kernel move the bytes to the end, through a pipe; False where it will not.

    Nothing has been taken then. [src: splice(2): EINVAL for what cannot be spliced]
    """
    if source.gettimeout() is not None or target.gettimeout() is not None:
        return False  # such a descriptor does not block
    receive, send = os.pipe2(os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # the user's pipes have taken all that they may
            fcntl.fcntl(send, fcntl.F_SETPIPE_SZ, PIPE)
        try:
            count = os.splice(source.fileno(), send, PIPE)
        except OSError as error:
            if error.errno not in _UNSPLICED:
                raise
            return False
        while count:
            while count:
                count -= os.splice(receive, target.fileno(), count)
            count = os.splice(source.fileno(), send, PIPE)
    finally:
        os.close(receive)
        os.close(send)
    return True
