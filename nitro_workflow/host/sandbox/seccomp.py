"""The sandbox's system call filter, assembled by hand: an allow list, and a look at four calls.

Network namespaces do not stop AF_VSOCK (a guest's sockets reach its host through it), so the
filter does: socket() and socketpair() know only the families given. clone() makes threads and
processes but no namespaces; clone3(), whose flags a filter cannot see, is answered ENOSYS and
libc falls back to clone().
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host.sandbox.syscalls import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ENCLAVE_FAMILIES", "INSTANCE_FAMILIES", "build_filter"]

ENCLAVE_FAMILIES: Final = (int(socket.AF_UNIX),)
"""An enclave has no network: what plays vsock is a Unix socket."""

INSTANCE_FAMILIES: Final = tuple(
    int(family) for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
)
"""A parent reaches the cloud; netlink is how libc lists addresses."""

_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT: Final = 0x40000000
_NAMESPACE_FLAGS: Final = 0x7E020000  # every CLONE_NEW* that clone() takes
_TERMINAL_IOCTLS: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into someone's terminal

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000

_NUMBER, _ARCHITECTURE, _ARG0, _ARG1 = 0, 4, 16, 24  # offsets in struct seccomp_data, low halves

_Code = tuple[int, int, int, int]


def build_filter(families: Sequence[int], machine: str | None = None) -> bytes:
    """Return the filter as an array of ``struct sock_filter``, 8 bytes each.

    Raises `SandboxUnavailable` on a machine other than x86_64 and aarch64.
    """
    machine = machine or platform.machine()
    calls = numbers(machine)
    if not calls:
        raise SandboxUnavailable(
            f"no system call table for {machine}",
            expected="x86_64 or aarch64",
            where="sandbox",
            next="run the lab on such a machine, or use QEMU's host",
        )
    code = [*_same_architecture(machine)]
    for name, body in _inspected(families).items():
        code += _when(calls[name], body)
    for name, number in calls.items():
        if name not in _inspected(families):
            code += _when(number, [_return(_ALLOW)])
    code.append(_return(_ERRNO | errno.ENOSYS))
    return b"".join(struct.pack("=HBBI", *it) for it in code)


def _same_architecture(machine: str) -> list[_Code]:
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        _return(_KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 calls are other numbers of the same calls
        code += [(_AT_LEAST, 0, 1, _X32_BIT), _return(_ERRNO | errno.ENOSYS)]
    return code


def _inspected(families: Sequence[int]) -> dict[str, list[_Code]]:
    """Return the bodies for the calls whose arguments count."""
    family = [(_LOAD, 0, 0, _ARG0)]
    for value in families:
        family += [(_EQUAL, 0, 1, value), _return(_ALLOW)]
    family.append(_return(_ERRNO | errno.EAFNOSUPPORT))
    terminal = [(_LOAD, 0, 0, _ARG1)]
    for value in _TERMINAL_IOCTLS:
        terminal += [(_EQUAL, 0, 1, value), _return(_ERRNO | errno.EPERM)]
    terminal.append(_return(_ALLOW))
    clone = [
        (_LOAD, 0, 0, _ARG0),
        (_ANY_BIT, 0, 1, _NAMESPACE_FLAGS),
        _return(_ERRNO | errno.EPERM),
        _return(_ALLOW),
    ]
    return {"socket": family, "socketpair": family, "clone": clone, "ioctl": terminal}


def _when(number: int, body: list[_Code]) -> list[_Code]:
    """Return ``body``, which must end in a return, for the call ``number`` only."""
    return [(_EQUAL, 0, len(body), number), *body]


def _return(value: int) -> _Code:
    return (_RETURN, 0, 0, value)
