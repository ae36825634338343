"""/dev/vsock for a program on the parent, on machines that have none: a /dev of its own.

Go's vsock package asks the device for its CID before it listens, as others do.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from nitro_workflow.host.sandbox import linux

__all__ = ["furnish_vsock_device"]

DEVICE: Final = Path("/dev/vsock")
_REAL: Final = Path("/dev/.real")


def furnish_vsock_device() -> None:
    """Have this process, and those that it starts, find a /dev/vsock that they may open.

    In a mount namespace of their own; no user but this one has a name in it. Raises OSError where
    such namespaces are forbidden: the program then has AF_VSOCK without the device.
    """
    if os.access(DEVICE, os.R_OK):
        return
    _leave_mounts()
    if DEVICE.exists():
        linux.mount("/dev/null", str(DEVICE), None, linux.MS_BIND)
        return
    real = linux.clone_tree("/dev")
    linux.mount("tmpfs", "/dev", "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "size=64k,mode=755")
    _REAL.mkdir()
    linux.attach_tree(real, str(_REAL))
    os.close(real)
    for entry in sorted(_REAL.iterdir()):
        _repeat(entry, Path("/dev", entry.name))
    _repeat(_REAL / "null", DEVICE)
    with contextlib.suppress(OSError):
        linux.unmount(str(_REAL))


def _leave_mounts() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        linux.unshare(linux.CLONE_NEWNS)
    else:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1")):
            Path("/proc/self", name).write_text(text, "ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", "ascii")
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)


def _repeat(entry: Path, target: Path) -> None:
    """Have at ``target`` what is at ``entry``; what cannot be is left out."""
    if entry.is_symlink():
        target.symlink_to(entry.readlink())
        return
    if entry.is_dir():
        target.mkdir()
    else:
        target.touch()
    with contextlib.suppress(OSError):
        linux.mount(str(entry), str(target), None, linux.MS_BIND | linux.MS_REC)
