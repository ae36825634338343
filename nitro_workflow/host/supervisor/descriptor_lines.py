"""Messages with descriptors, between the processes that make a sandbox."""

from __future__ import annotations

import array
import socket
from typing import Final

__all__ = ["receive_descriptors", "send_descriptors"]

MESSAGE_LIMIT: Final = 512  # bytes
DESCRIPTOR_LIMIT: Final = 4


def send_descriptors(line: socket.socket, data: bytes, descriptors: list[int]) -> None:
    """Send one message; raises OSError."""
    rights = array.array("i", descriptors)
    line.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def receive_descriptors(line: socket.socket) -> tuple[bytes, list[int]]:
    """Return one message and its descriptors; nothing where the other end has closed."""
    room = socket.CMSG_SPACE(4 * DESCRIPTOR_LIMIT)
    try:
        data, ancillary, _, _ = line.recvmsg(MESSAGE_LIMIT, room, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return b"", []
    found = array.array("i")
    for level, kind, part in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(part[: len(part) - len(part) % found.itemsize])
    return data, found.tolist()
