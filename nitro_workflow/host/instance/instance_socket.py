"""Connecting to a socket in an instance's folder: to that very socket, and never through a link.

Its owner could put a link there that leads to another socket of this user, which would then be told
what the instance was meant to hear.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["connect"]


def connect(path: Path, timeout: float) -> socket.socket:
    """Return a connected Unix socket, with ``timeout`` in seconds; raises OSError."""
    found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(found).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(f"/proc/self/fd/{found}")
        except BaseException:
            sock.close()
            raise
        return sock
    finally:
        os.close(found)
