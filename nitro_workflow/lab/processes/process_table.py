"""Which processes run for which lab: read from the kernel's own table, not from files of ours.

A file can be stale, lost with a runtime folder, or out of sight of another terminal; a command
line belongs to its process as long as that lives. Each process of a lab is started with the lab's
path and identity in its arguments (`command_of`), and found by them again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["NAMES", "LabProcess", "command_of", "find_processes", "is_running", "start_tick"]

STOP_SECONDS: Final = 30.0
"""From SIGTERM to SIGKILL: an enclave's sandbox needs under 1 s to end, a request 10 s at most."""
KILL_SECONDS: Final = 30.0
"""For the kernel to end it: its port and its lock are free then. Milliseconds in fact."""

_MODULES: Final = {
    "cloud": "nitro_workflow.cloud.local.serve",
    "hypervisor": "nitro_workflow.host.control.hypervisor",
    "idle": "nitro_workflow.lab.processes.idle",
}
NAMES: Final = tuple(_MODULES)

# Python takes any -X option; this one carries the lab's identity where everybody can read it.
_IDENTITY: Final = "nitro_workflow_lab="


@dataclass(frozen=True, slots=True)
class LabProcess:
    """One running process of a lab.

    A process is known by its pid *and* the tick at which the kernel started it: a recycled pid is
    never taken for ours, nor killed. ``lab`` is the folder that it was started for, ``identity``
    that folder's, ``runtime`` the folder of the hypervisor's sockets and ``machine`` what its
    enclaves are ("" for the others).
    """

    name: str
    pid: int
    started: str
    lab: str
    identity: str = ""
    runtime: str = ""
    machine: str = ""

    @property
    def alive(self) -> bool:
        """Tell whether it still runs; one without a tick had ended before it was looked at."""
        return bool(self.started) and start_tick(self.pid) == self.started

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM, then SIGKILL; both only while the pid is still this very process."""
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, KILL_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                if self.alive:
                    os.kill(self.pid, number)
            if _wait(lambda: not self.alive, patience):
                return


def command_of(name: str, lab: Path, identity: str, *arguments: str) -> list[str]:
    """Return the command that starts one of a lab's processes."""
    # -P: a module beside the notebook must not stand in for one of the standard library.
    start = [sys.executable, "-P", "-X", f"{_IDENTITY}{identity}", "-m", _MODULES[name]]
    return [*start, "--lab", str(lab), *arguments]


def find_processes(lab: Path, identity: str = "") -> list[LabProcess]:
    """Return what runs for this lab, wherever it was started, whatever else has gone.

    That is what was started for this path; and, where the folder was moved here, what was started
    for it under its former name. A copy of a lab is another lab.
    """
    return [found for found in _all() if _same(found.lab, lab) or _moved(found, identity)]


def is_running(pid: int) -> bool:
    """Tell whether there is such a process, a zombie not counted."""
    return bool(start_tick(pid))


def start_tick(pid: int) -> str:
    """Return field 22 of /proc/PID/stat, the tick of its start; "" for no process or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _same(path: str, lab: Path) -> bool:
    """Tell whether both are one folder, by whatever name."""
    with contextlib.suppress(OSError, ValueError):
        return path == str(lab) or lab.samefile(path)
    return False


def _moved(found: LabProcess, identity: str) -> bool:
    if not identity or found.identity != identity:
        return False
    try:
        there = json.loads((Path(found.lab) / "lab.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return not (isinstance(there, dict) and there.get("id") == identity)


def _all() -> Iterator[LabProcess]:
    user = os.getuid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (found := _read(int(entry.name), user)) is not None:
            yield found


def _read(pid: int, user: int) -> LabProcess | None:
    """Return the process where it is one of a lab, and this user's."""
    folder = Path(f"/proc/{pid}")
    try:
        arguments = folder.joinpath("cmdline").read_bytes().split(b"\0")[:-1]
        words = [os.fsdecode(argument) for argument in arguments]
        name = _name(words)
        # The folder's own owner is root where a process guards its memory: `status` is right.
        if name is None or _user(folder.joinpath("status").read_text()) != user:
            return None
    except OSError:
        return None
    started = start_tick(pid)
    if not started:
        return None
    identity = next((word for word in words if word.startswith(_IDENTITY)), _IDENTITY)
    return LabProcess(
        name=name,
        pid=pid,
        started=started,
        lab=_value(words, "--lab"),
        identity=identity.removeprefix(_IDENTITY),
        runtime=_value(words, "--runtime"),
        machine=_value(words, "--machine"),
    )


def _name(words: list[str]) -> str | None:
    module = _value(words, "-m")
    return next((name for name, its in _MODULES.items() if its == module), None)


def _value(words: list[str], option: str) -> str:
    """Return the word after an option; "" without it."""
    place = words.index(option) if option in words else len(words)
    return words[place + 1] if place + 1 < len(words) else ""


def _user(status: str) -> int:
    line = next((line for line in status.splitlines() if line.startswith("Uid:")), "Uid: -1")
    return int(line.split()[1])


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
