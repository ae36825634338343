"""One system call that waits for its answer: seccomp's user notifications, through ioctl.

What a program hands over by pointer is read once. Every read, write and descriptor of the caller
is checked to be the caller's afterwards: the number of a thread that has ended may be another's.
[src: seccomp_unotify(2); Linux uapi/linux/seccomp.h]
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final

from nitro_workflow.host.supervisor.syscall_numbers import SECCOMP

__all__ = ["CONTINUE", "Gone", "Notification", "install_listener", "receive"]

CONTINUE: Final = 1 << 32
"""An answer: let the kernel make the call itself. It is above every result."""

_RECEIVE, _SEND, _IS_VALID, _ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_SET_MODE_FILTER: Final = 1
_NO_NEW_PRIVILEGES: Final = 38  # PR_SET_NO_NEW_PRIVS
_NEW_LISTENER: Final = 8
_CONTINUE_FLAG: Final = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_ADD_AND_SEND: Final = 2  # SECCOMP_ADDFD_FLAG_SEND, Linux 5.14

_NOTIFICATION: Final = struct.Struct("=QIIiIQ6Q")
_RESPONSE: Final = struct.Struct("=QqiI")
_ADDITION: Final = struct.Struct("=QIIII")

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_ioctl: Final = _libc.ioctl
_ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)
_read_memory: Final = _libc.process_vm_readv
_read_memory.restype = ctypes.c_ssize_t
_read_memory.argtypes = (
    *(ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong),
    *(ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong),
)


class Gone(Exception):
    """The caller has ended, or was interrupted: nobody hears an answer."""


class _Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Notification:
    """A call of thread ``tid`` (as this process sees it), with six 64-bit ``arguments``."""

    __slots__ = ("arguments", "listener", "number", "tid", "token")

    def __init__(self, listener: int, raw: ctypes.Array[ctypes.c_char]) -> None:
        self.listener = listener
        fields = _NOTIFICATION.unpack_from(raw)
        self.token: int = fields[0]
        self.tid: int = fields[1]
        self.number: int = fields[3]
        self.arguments: tuple[int, ...] = fields[6:]

    def int_argument(self, index: int) -> int:
        """Return an argument as the kernel takes an int."""
        return self.arguments[index] & 0xFFFFFFFF

    @property
    def waits(self) -> bool:
        """Whether the caller still waits for this answer."""
        token = ctypes.c_uint64(self.token)
        return bool(_ioctl(self.listener, _IS_VALID, ctypes.byref(token)) == 0)

    def check(self) -> None:
        """Raise `Gone` unless the caller still waits."""
        if not self.waits:
            raise Gone

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes of the caller's memory; raises OSError EFAULT, or `Gone`."""
        buffer = ctypes.create_string_buffer(size)
        here, there = _Piece(ctypes.addressof(buffer), size), _Piece(address, size)
        got = _read_memory(self.tid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        number = ctypes.get_errno() if got < 0 else errno.EFAULT
        self.check()
        if got != size:
            raise OSError(number, "memory of the caller")
        return buffer.raw

    def write(self, *pieces: tuple[int, bytes]) -> None:
        """Write each (address, bytes) into the caller's memory; raises OSError EFAULT, or `Gone`.

        Through a descriptor that is known to be the caller's: a number could change hands.
        """
        try:
            memory = os.open(f"/proc/{self.tid}/mem", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Gone from error
        try:
            self.check()
            for address, data in pieces:
                _write_piece(memory, address, data)
        finally:
            os.close(memory)

    def answer(self, result: int) -> bool:
        """Answer with a result, a negative error number or `CONTINUE`; return if it was heard."""
        if result == CONTINUE:
            reply = _RESPONSE.pack(self.token, 0, 0, _CONTINUE_FLAG)
        elif result < 0:
            reply = _RESPONSE.pack(self.token, 0, result, 0)
        else:
            reply = _RESPONSE.pack(self.token, result, 0, 0)
        return bool(_ioctl(self.listener, _SEND, reply) >= 0)

    def give(self, descriptor: int, *, close_on_exec: bool) -> bool:
        """Put a copy of ``descriptor`` into the caller as the result; return whether it got there.

        Raises OSError: EMFILE is the caller's own limit.
        """
        flags = os.O_CLOEXEC if close_on_exec else 0
        addition = _ADDITION.pack(self.token, _ADD_AND_SEND, descriptor, 0, flags)
        if _ioctl(self.listener, _ADD_DESCRIPTOR, addition) >= 0:
            return True
        number = ctypes.get_errno()
        if number != errno.ENOENT:
            raise OSError(number, "a descriptor for the caller")
        return False


def receive(listener: int) -> Notification | None:
    """Return the next call; None where the caller has gone meanwhile."""
    raw = ctypes.create_string_buffer(_NOTIFICATION.size)
    return Notification(listener, raw) if _ioctl(listener, _RECEIVE, raw) == 0 else None


def install_listener(program: bytes) -> int:
    """Install a filter in this process for good; return the descriptor to read its calls from.

    Set-uid programs are without effect from here on. Raises OSError: EINVAL before Linux 5.0, EBUSY
    where a supervisor is there already.
    """
    if _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    code = ctypes.create_string_buffer(program, len(program))
    argument = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    number = SECCOMP[platform.machine()]
    found = _libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, argument)
    if found < 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
    return int(found)


def _write_piece(memory: int, address: int, data: bytes) -> None:
    try:
        written = os.pwrite(memory, data, address)
    except (OSError, OverflowError) as error:
        raise OSError(errno.EFAULT, "memory of the caller") from error
    if written != len(data):
        raise OSError(errno.EFAULT, "memory of the caller")
