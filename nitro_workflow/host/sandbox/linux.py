"""The Linux calls that Python's standard library does not offer, through libc.

Only what the sandbox's bootstrap needs; each raises OSError with the kernel's error. Numbers are
from the kernel's uapi headers and are the same on x86_64 and aarch64 where none is given for
each.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "adopt_orphans",
    "attach_tree",
    "clone_tree",
    "close_from",
    "die_with_parent",
    "drop_capabilities",
    "install_filter",
    "mount",
    "no_new_privileges",
    "pivot_root",
    "restrict_mount",
    "unmount",
    "unshare",
]

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

CAP_DAC_OVERRIDE: Final = 1
CAP_NET_BIND_SERVICE: Final = 10
CAP_NET_ADMIN: Final = 12
CAP_SYS_PTRACE: Final = 19

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18

_MNT_DETACH: Final = 2
_PR_SET_PDEATHSIG: Final = 1
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_LAST_CAPABILITY: Final = 63  # the kernel answers EINVAL above its own last one
_CAPABILITY_VERSION: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3

_SYS_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_SYS_OPEN_TREE: Final = 428  # Linux 5.2
_SYS_MOVE_MOUNT: Final = 429
_SYS_MOUNT_SETATTR: Final = 442  # Linux 5.12
_SYS_CLOSE_RANGE: Final = 436

_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 4
_MOUNT_ATTR_RDONLY: Final = 1
_MOUNT_ATTR_NOSUID: Final = 2
_MOUNT_ATTR_NODEV: Final = 4

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def unshare(flags: int) -> None:
    """Leave the namespaces named by ``flags``; the process must have one thread."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount ``source`` at ``target``."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data) if data else None,
    )
    _check(result, f"mount {target}")


def unmount(target: str) -> None:
    """Detach the mount at ``target`` and all below it."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make ``new`` the root and put the present one at ``old``."""
    number = _SYS_PIVOT_ROOT[platform.machine()]
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), "pivot_root")


def clone_tree(path: str) -> int:
    """Return a descriptor of a detached copy of the mounts at ``path``."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return _check(
        _libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags), f"open_tree {path}"
    )


def attach_tree(tree: int, target: str) -> None:
    """Attach what `clone_tree` returned at ``target``."""
    result = _libc.syscall(
        _SYS_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
    )
    _check(result, f"move_mount {target}")


def restrict_mount(target: str, *, read_only: bool) -> None:
    """Let the mount at ``target``, and those below it, give no set-uid and no devices."""
    wanted = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (_MOUNT_ATTR_RDONLY if read_only else 0)
    attributes = (ctypes.c_uint64 * 4)(wanted, 0, 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attributes, 32
    )
    if result == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        _check(result, f"mount_setattr {target}")
    # Before Linux 5.12: this mount only, and flags that are locked must be given again.
    kept = os.statvfs(target).f_flag & (MS_NOEXEC | 1024 | 2048)
    relative = (1 << 21) if os.statvfs(target).f_flag & 4096 else 0
    flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | kept | relative
    mount("none", target, None, flags | (MS_RDONLY if read_only else 0))


def die_with_parent() -> None:
    """Ask for SIGKILL when the parent thread ends; lost by a change of credentials."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def no_new_privileges() -> None:
    """Make set-uid and file capabilities without effect, for this process and its children."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities(keep: Collection[int] = ()) -> None:
    """Give up every capability but these, of every set, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in keep:
            with contextlib.suppress(OSError):
                _prctl(_PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    kept = sum(1 << it for it in keep)  # below 32: the first word of each set
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)), "capset")


def close_from(lowest: int) -> None:
    """Close every descriptor from ``lowest`` on."""
    if _libc.syscall(_SYS_CLOSE_RANGE, lowest, ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(lowest, os.sysconf("SC_OPEN_MAX"))


def install_filter(program: bytes) -> None:
    """Install a seccomp filter (array of ``struct sock_filter``) for good."""
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    argument = Program(len(program) // 8, ctypes.addressof(code))
    _check(_libc.prctl(22, 2, ctypes.byref(argument), 0, 0), "seccomp")  # SET_SECCOMP, MODE_FILTER


def _prctl(option: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero), f"prctl {option}")


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
