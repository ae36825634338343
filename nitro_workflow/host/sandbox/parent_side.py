"""The parent's end of one enclave's vsock, whatever machine the enclave is.

An instance's vsock folder has ``3/v.sock_<port>`` for what the parent listens on, and
``<cid>/v.sock`` where it says ``CONNECT <port>`` to an enclave. The folder belongs to processes
that are not trusted: every socket is opened by name below a descriptor of its folder, never through
a link, and only if it *is* a socket. [src: firecracker docs/vsock.md]
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import Final

from nitro_workflow.errors import VsockError
from nitro_workflow.vsock import PARENT_CID

__all__ = ["SECONDS", "ParentSide", "dial_below"]

SECONDS: Final = 10.0  # for a connection, and for the line with the port


class ParentSide:
    """One enclave's entry in the folder behind the descriptor ``host_folder``; `close` removes it.

    Owns a copy of the descriptor.
    """

    def __init__(self, host_folder: int, cid: int) -> None:
        self._folder, self._cid = os.dup(host_folder), str(cid)

    @property
    def folder(self) -> int:
        """The descriptor of the parent's vsock folder."""
        return self._folder

    def listen(self) -> socket.socket:
        """Return a listener at ``<cid>/v.sock`` that the instance's user may connect to."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._cid, 0o700, dir_fd=self._folder)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        folder = os.open(self._cid, flags, dir_fd=self._folder)
        try:
            owner = os.fstat(self._folder)
            if os.geteuid() == 0:  # the instance is another user then
                os.fchown(folder, owner.st_uid, owner.st_gid)
            with contextlib.suppress(FileNotFoundError):
                os.unlink("v.sock", dir_fd=folder)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(f"/proc/self/fd/{folder}/v.sock")
            if os.geteuid() == 0:
                os.chown("v.sock", owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)
            listener.listen(64)
        finally:
            os.close(folder)
        return listener

    def dial(self, port: int, name: bytes = b"") -> socket.socket:
        """Connect to what the parent listens on at ``port``; raises OSError or `VsockError`.

        ``name``: who dials, as an abstract address, for a listener that asks.
        """
        return dial_below(self._folder, (str(PARENT_CID), f"v.sock_{port}"), name)

    def close(self) -> None:
        """Remove the entry."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self._cid}/v.sock", dir_fd=self._folder)
            os.rmdir(self._cid, dir_fd=self._folder)
        os.close(self._folder)


def dial_below(folder: int, names: tuple[str, ...], own: bytes = b"") -> socket.socket:
    """Connect to the socket at ``names`` below ``folder``, following no link, from ``own``."""
    at = os.dup(folder)
    try:
        for name in names[:-1]:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            at, last = os.open(name, flags, dir_fd=at), at
            os.close(last)
        found = os.open(names[-1], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)
    try:
        if not stat.S_ISSOCK(os.fstat(found).st_mode):
            raise VsockError("not a socket", expected="a listener", where=f"vsock {names[-1]}")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if own:
                sock.bind(own)
            sock.settimeout(SECONDS)
            sock.connect(f"/proc/self/fd/{found}")
            sock.settimeout(None)
        except OSError:
            sock.close()
            raise
    finally:
        os.close(found)
    return sock
