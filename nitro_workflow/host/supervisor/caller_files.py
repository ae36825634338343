"""Copies of a caller's descriptors, by pidfd: what the supervisor acts on is what it has fetched.

[src: pidfd_getfd(2); Linux 6.9 for pidfds of threads]
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.notification import Gone
from nitro_workflow.host.supervisor.syscall_numbers import PIDFD_GETFD, PIDFD_OPEN

if TYPE_CHECKING:
    from nitro_workflow.host.supervisor.notification import Notification

__all__ = ["CallerFiles"]

REMEMBERED: Final = 64
"""Threads whose pidfd is kept: opening one costs half of what a call does."""

_THREAD: Final = os.O_EXCL  # PIDFD_THREAD, Linux 6.9

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class CallerFiles:
    """Fetches descriptors of the threads that call."""

    def __init__(self, *, of_threads: bool = True) -> None:
        self._pidfds: OrderedDict[int, int] = OrderedDict()
        self._of_threads = of_threads

    def fetch(self, call: Notification, number: int) -> int:
        """Return a copy of the caller's descriptor ``number``; raises OSError (EBADF) or `Gone`."""
        copy = self._copy(call.tid, number)
        if copy < 0 and ctypes.get_errno() == errno.ESRCH:  # another thread has this number now
            self._forget(call.tid)
            copy = self._copy(call.tid, number)
        if copy < 0:
            error = ctypes.get_errno()
            call.check()
            raise OSError(error, "a descriptor of the caller")
        if not call.waits:
            os.close(copy)
            raise Gone
        return copy

    def close(self) -> None:
        """Forget all."""
        for tid in list(self._pidfds):
            self._forget(tid)

    def _copy(self, tid: int, number: int) -> int:
        if tid not in self._pidfds:
            self._pidfds[tid] = self._open(tid)
            if len(self._pidfds) > REMEMBERED:
                self._forget(next(iter(self._pidfds)))
        return int(_libc.syscall(PIDFD_GETFD, self._pidfds[tid], ctypes.c_uint(number), 0))

    def _open(self, tid: int) -> int:
        found = _libc.syscall(PIDFD_OPEN, tid, _THREAD) if self._of_threads else -1
        if found < 0 and (not self._of_threads or ctypes.get_errno() == errno.EINVAL):
            self._of_threads = False
            found = _libc.syscall(PIDFD_OPEN, _process_of(tid), 0)
        if found < 0:
            raise Gone
        return int(found)

    def _forget(self, tid: int) -> None:
        os.close(self._pidfds.pop(tid))


def _process_of(tid: int) -> int:
    """Return the process of a thread: before Linux 6.9 there are pidfds of those alone."""
    try:
        text = Path(f"/proc/{tid}/status").read_bytes()
    except OSError as error:
        raise Gone from error
    return int(text.partition(b"\nTgid:")[2].split(None, 1)[0])
