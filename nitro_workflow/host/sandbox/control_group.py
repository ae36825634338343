"""A control group (version 2) for each sandbox, where this process may make one.

Memory, with memfds and tmpfs, and processes are then the kernel's to hold. A group with processes
of its own gives its children no controllers, so the place is the nearest ancestor that already
hands ``memory`` and ``pids`` down and belongs to us: a systemd user session's ``app.slice``.
[src: Linux, Documentation/admin-guide/cgroup-v2]
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules.limits import instance_limits

if TYPE_CHECKING:
    from nitro_workflow.host.rules.limits import Limits

__all__ = ["ControlGroup", "delegated_place", "place_of_this_process"]

MOUNT: Final = Path("/sys/fs/cgroup")
NEEDED: Final = frozenset(("memory", "pids"))
TRY_SECONDS: Final = 10.0
REMOVE_SECONDS: Final = 2.0  # for the kernel to let an empty group go; milliseconds in fact


def delegated_place(mount: Path = MOUNT, process: Path = Path("/proc/self/cgroup")) -> Path | None:
    """Return the group below which one for a sandbox can be made; None where there is none."""
    own = _own_group(process)
    if own is None:
        return None
    for place in (own, *own.parents):
        found = mount / str(place).lstrip("/")
        if _words(found / "cgroup.subtree_control") >= NEEDED and _is_ours(found):
            return found
    return None


@cache
def place_of_this_process() -> Path | None:
    """Return `delegated_place` of this process, tried once: None too where a group is of no use."""
    place = delegated_place()
    return place if place is not None and _is_of_use(place) else None


def _is_of_use(place: Path) -> bool:
    """Make a group as a sandbox's, have a process enter it, and remove it again."""
    try:
        group = ControlGroup(place, instance_limits())
    except OSError:
        return False
    try:
        return _can_be_entered(group)
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        group.close()


def _can_be_entered(group: ControlGroup) -> bool:
    entry = group.open_entry()
    try:
        command = ["/bin/sh", "-c", f"echo 0 > /proc/self/fd/{entry}"]
        done = subprocess.run(
            command, pass_fds=(entry,), capture_output=True, timeout=TRY_SECONDS, check=False
        )
    finally:
        os.close(entry)
    return done.returncode == 0


class ControlGroup:
    """One group with its limits; raises OSError where the kernel does not let it be made."""

    def __init__(self, place: Path, limits: Limits) -> None:
        self.path = place / f"nitro-workflow-{os.getpid()}-{secrets.token_hex(4)}"
        self.path.mkdir()
        try:
            self._set("memory.max", limits.memory)
            self._set("pids.max", limits.processes)
            with contextlib.suppress(OSError):  # no swap on this machine, or an old kernel
                self._set("memory.swap.max", 0)
            with contextlib.suppress(OSError):
                self._set("memory.oom.group", 1)
        except BaseException:
            self.close()
            raise

    def open_entry(self) -> int:
        """Return a descriptor into which a process writes ``0`` to enter."""
        return os.open(self.path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def ran_out_of_memory(self) -> bool:
        """Tell whether the kernel has ended something here for its memory."""
        with contextlib.suppress(OSError):
            for line in (self.path / "memory.events").read_text("ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill" and count != "0":
                    return True
        return False

    def close(self) -> None:
        """End what is left in it and remove it."""
        with contextlib.suppress(OSError):
            self._set("cgroup.kill", 1)
        deadline = time.monotonic() + REMOVE_SECONDS
        while self.path.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.01)

    def _set(self, name: str, value: int) -> None:
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, str(value).encode())
        finally:
            os.close(descriptor)


def _own_group(process: Path) -> Path | None:
    """Return this process's group in the one hierarchy of version 2."""
    with contextlib.suppress(OSError):
        for line in process.read_text("utf-8").splitlines():
            if line.startswith("0::/"):
                return Path(line.removeprefix("0::"))
    return None


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text("ascii").split())
    except OSError:
        return set()


def _is_ours(group: Path) -> bool:
    return os.access(group, os.W_OK | os.X_OK) and os.access(group / "cgroup.procs", os.W_OK)
