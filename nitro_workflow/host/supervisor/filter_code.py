"""Seccomp filters, assembled by hand: the pieces, and which calls go to the supervisor.

A filter answers each call by its numbers and never sees what a pointer points to: so it only
chooses. The supervised calls wait until `supervise` has answered them.

>>> from nitro_workflow.host.supervisor.filter_code import parent_filter
>>> len(parent_filter("x86_64")) % 8
0
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host.supervisor.syscall_numbers import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ALLOW",
    "GET_LOCAL_CID",
    "NSM_IOCTL",
    "Code",
    "assemble",
    "at_least",
    "equal",
    "has_any_bit",
    "load",
    "parent_filter",
    "refuse",
    "supervised_calls",
]

GET_LOCAL_CID: Final = 0x7B9
"""IOCTL_VM_SOCKETS_GET_LOCAL_CID. [src: Linux uapi/linux/vm_sockets.h]"""

NSM_IOCTL: Final = 0xC0200A00
"""``_IOWR(0x0A, 0, 32 bytes)``. [src: nsm-api src/driver/mod.rs]"""

SOCKADDR_VM: Final = 16
"""Bytes of a ``struct sockaddr_vm``: a shorter address is of another family."""

_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT: Final = 0x40000000

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

_PASSRIGHTS: Final = 83  # SO_PASSRIGHTS, Linux 6.16
_PASSPIDFD, _PEERPIDFD = 76, 77  # SO_PASSPIDFD, SO_PEERPIDFD, Linux 6.5: the peer is outside
_DOMAIN: Final = 39  # SO_DOMAIN
_TABLES: Final = 64  # IPT_SO_SET_REPLACE and what is above: the packet filter's, behind an option
_TABLES6: Final = (64, 65)  # IP6T_SO_SET_REPLACE, IP6T_SO_SET_ADD_COUNTERS

Code = list[tuple[int, int, int, int]]
"""Instructions; every piece that is a call's whole answer ends in a return."""

ALLOW: Final[Code] = [(_RETURN, 0, 0, 0x7FFF0000)]
NOTIFY: Final[Code] = [(_RETURN, 0, 0, 0x7FC00000)]


def refuse(number: int) -> Code:
    """Answer with an error number."""
    return [(_RETURN, 0, 0, _ERRNO | number)]


def load(argument: int) -> Code:
    """Look at the low half of an argument: the kernel takes ints here."""
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument)]


def equal(value: int, then: Code) -> Code:
    """Run ``then`` where what was loaded is ``value``."""
    return [(_EQUAL, 0, len(then), value), *then]


def at_least(value: int, then: Code) -> Code:
    """Run ``then`` where what was loaded is ``value`` or more."""
    return [(_AT_LEAST, 0, len(then), value), *then]


def has_any_bit(mask: int, then: Code) -> Code:
    """Run ``then`` where what was loaded has a bit of ``mask``."""
    return [(_ANY_BIT, 0, len(then), mask), *then]


def assemble(bodies: Mapping[str, Code], otherwise: Code, machine: str | None = None) -> bytes:
    """Return a filter as an array of ``struct sock_filter``, 8 bytes each.

    ``bodies`` is call → answer, ``otherwise`` the answer to all others. Raises `SandboxUnavailable`
    on a machine other than x86_64 and aarch64.
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
    code: Code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 calls are other numbers of the same calls
        code += at_least(_X32_BIT, refuse(errno.ENOSYS))
    for name, body in bodies.items():
        if name in calls:
            code += equal(calls[name], body)
    code += otherwise
    return b"".join(struct.pack("=HBBI", *it) for it in code)


def supervised_calls(families: Iterable[int] | None) -> dict[str, Code]:
    """Return the answers to the calls on sockets and devices, where a supervisor is there.

    ``families`` are those that the program may have beside vsock; None: all.
    """
    others = ALLOW if families is None else family_code(families)
    address = [*load(2), *at_least(SOCKADDR_VM, NOTIFY), *ALLOW]
    devices = [*load(1), *equal(GET_LOCAL_CID, NOTIFY), *equal(NSM_IOCTL, NOTIFY)]
    return {
        "socket": [*load(0), *equal(socket.AF_VSOCK, NOTIFY), *others],
        "bind": address,
        "connect": address,
        "accept": NOTIFY,
        "accept4": NOTIFY,
        "getsockname": NOTIFY,
        "getpeername": NOTIFY,
        "ioctl": [*devices, *ALLOW],
        "setsockopt": _option_code(notified=None),
        "getsockopt": _option_code(notified=_DOMAIN),
    }


def family_code(families: Iterable[int]) -> Code:
    """Allow these socket families, of netlink what lists and sets addresses; load argument 0 first.

    [src: Linux uapi/linux/netlink.h: NETLINK_ROUTE is 0]
    """
    route = [*load(2), *equal(0, ALLOW), *refuse(errno.EPROTONOSUPPORT)]
    code: Code = []
    for family in families:
        code += equal(family, route if family == socket.AF_NETLINK else ALLOW)
    return code + refuse(errno.EAFNOSUPPORT)


def option_code() -> Code:
    """Answer setsockopt and getsockopt where no supervisor is there."""
    return [*load(1), *_tables(), *ALLOW]


def parent_filter(machine: str | None = None) -> bytes:
    """Return the filter for a program on the parent: vsock is supervised, all else is allowed.

    But io_uring, whose sockets no filter sees. Raises `SandboxUnavailable`.
    """
    body = supervised_calls(None)
    body["io_uring_setup"] = refuse(errno.ENOSYS)
    return assemble(body, ALLOW, machine)


def _option_code(notified: int | None) -> Code:
    """Notify the options of vsock's level; refuse those that lead out through a socket."""
    refused = refuse(errno.ENOPROTOOPT)
    general = [*load(2)]
    for option in (_PASSRIGHTS, _PASSPIDFD, _PEERPIDFD):
        general += equal(option, refused)
    if notified is not None:
        general += equal(notified, NOTIFY)
    general += ALLOW
    level = [*load(1), *equal(socket.AF_VSOCK, NOTIFY), *equal(socket.SOL_SOCKET, general)]
    return [*level, *_tables(), *ALLOW]


def _tables() -> Code:
    """Refuse the packet filter's options, which CAP_NET_ADMIN would open; the level is loaded.

    [src: Linux uapi/linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h]
    """
    refused = refuse(errno.ENOPROTOOPT)
    four = [*load(2), *at_least(_TABLES, refused), *ALLOW]
    six = [*load(2), *equal(_TABLES6[0], refused), *equal(_TABLES6[1], refused), *ALLOW]
    return [*equal(socket.SOL_IP, four), *equal(socket.IPPROTO_IPV6, six)]
