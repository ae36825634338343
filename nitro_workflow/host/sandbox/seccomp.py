"""The sandbox's system call filter: an allow list, and a look at the arguments of a few calls.

Network namespaces do not stop AF_VSOCK (a guest's sockets reach its host through it), so the
filter does: the kernel's own is never made. Where a supervisor is there, it answers socket() and
its like for vsock; else the family is refused. clone() makes threads and processes but no
namespaces; clone3(), whose flags a filter cannot see, is answered ENOSYS and libc falls back to
clone().
"""

from __future__ import annotations

import errno
import platform
import socket
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.filter_code import (
    ALLOW,
    assemble,
    equal,
    family_code,
    has_any_bit,
    load,
    option_code,
    refuse,
    supervised_calls,
)
from nitro_workflow.host.supervisor.syscall_numbers import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitro_workflow.host.supervisor.filter_code import Code

__all__ = ["FAMILIES", "build_filter"]

FAMILIES: Final = tuple(
    int(family) for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
)
"""In a network namespace of its own: an enclave has loopback there, a parent what is served for it.
Netlink is how libc and ``ip`` list addresses."""

_NAMESPACE_FLAGS: Final = 0x7E020000  # every CLONE_NEW* that clone() takes
_TERMINAL_IOCTLS: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into someone's terminal


def build_filter(
    families: Sequence[int] = FAMILIES, machine: str | None = None, *, supervised: bool = False
) -> bytes:
    """Return the filter as an array of ``struct sock_filter``, 8 bytes each.

    Raises `SandboxUnavailable` on a machine other than x86_64 and aarch64.
    """
    machine = machine or platform.machine()
    bodies = _inspected(families)
    if supervised:
        answers = supervised_calls(families)
        answers["ioctl"] = [*_terminal(), *answers["ioctl"]]
        bodies.update(answers)
    allowed = {name: ALLOW for name in numbers(machine) if name not in bodies}
    return assemble({**bodies, **allowed}, refuse(errno.ENOSYS), machine)


def _inspected(families: Sequence[int]) -> dict[str, Code]:
    """Return the bodies for the calls whose arguments count."""
    family = [*load(0), *family_code(families)]
    clone = [*load(0), *has_any_bit(_NAMESPACE_FLAGS, refuse(errno.EPERM)), *ALLOW]
    return {
        "socket": family,
        "socketpair": family,
        "clone": clone,
        "ioctl": [*_terminal(), *ALLOW],
        "setsockopt": option_code(),
        "getsockopt": option_code(),
    }


def _terminal() -> Code:
    code = load(1)
    for request in _TERMINAL_IOCTLS:
        code += equal(request, refuse(errno.EPERM))
    return code
