"""The two background processes of the lab, the cloud and the hypervisor: start, adopt, stop.

They run in sessions of their own, so that they outlive a notebook's kernel, and end with `down`,
with the idle watch, or at the end of what started them. A process is known by its pid *and* the
tick at which the kernel started it: a recycled pid is never taken for ours, nor killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import Endpoint, isolated_environment
from nitro_workflow.errors import CloudUnavailable, HostError, LabError, SandboxUnavailable
from nitro_workflow.lab.lab_folder import (
    LabFolder,
    read_json,
    runtime_folder,
    save,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.errors import ServiceError

__all__ = ["Processes"]

READY_SECONDS: Final = 30.0
"""Each process is up within 2 s on an idle laptop; this is for a loaded CI machine."""

STOP_SECONDS: Final = 10.0
"""From SIGTERM to SIGKILL: an enclave's sandbox needs under 1 s to end."""

IDLE_SECONDS: Final = 4 * 3600
"""Without a step for so long, the idle watch stops the processes."""

CONNECT_SECONDS: Final = 3.0
LOG_TAIL: Final = 400  # characters of a dead process's log that are shown

_MODULES: Final = {
    "cloud": "nitro_workflow.cloud.local.serve",
    "hypervisor": "nitro_workflow.host.control.hypervisor",
    "idle": "nitro_workflow.lab.processes.idle",
}


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    started: str

    @property
    def alive(self) -> bool:
        return _start_tick(self.pid) == self.started

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM, then SIGKILL; both only while the pid is still this very process."""
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 2.0)):
            with contextlib.suppress(ProcessLookupError):
                if self.alive:
                    os.kill(self.pid, number)
            if _wait(lambda: not self.alive, patience):
                return


class Processes:
    """The cloud and the hypervisor of one lab.

    >>> Processes(LabFolder.open("/tmp/lab")).status()  # doctest: +SKIP
    {'cloud': 'stopped', 'hypervisor': 'stopped', 'idle': 'stopped'}
    """

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.runtime = runtime_folder(folder.path)
        self.say = say or (lambda _: None)
        self.idle_seconds = IDLE_SECONDS
        self._children: list[int] = []

    # -- what is running ---------------------------------------------------------------------------

    def status(self) -> dict[str, str]:
        """Return ``running (pid n)`` or ``stopped`` for each process."""
        found = {name: self._find(name) for name in _MODULES}
        return {name: f"running (pid {at.pid})" if at else "stopped" for name, at in found.items()}

    def endpoint(self) -> Endpoint:
        """Return the cloud's address; raises `CloudUnavailable` when it is not running."""
        path = self.folder.path / "cloud" / "endpoint.json"
        if self._find("cloud") is None or not path.exists():
            raise CloudUnavailable(
                "the local cloud is not running",
                expected="an endpoint on loopback",
                where="cloud",
                next="run any step: it starts the cloud; or `nitro-workflow step P1`",
            )
        return Endpoint.of(self.folder.path)

    # -- up ----------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start what is not running, cloud first; adopt what is. Blocks until both answer.

        Raises `CloudUnavailable`, `HostError` or `SandboxUnavailable` with the end of the process's
        log.
        """
        with self.folder.lock("starting the lab's processes"):
            self.folder.touch()
            self._up_cloud()
            self._up_hypervisor()
            self.folder.touch()
            if self._find("idle") is None:
                self._start("idle", "--seconds", str(self.idle_seconds))

    def _up_cloud(self) -> None:
        if self._find("cloud") and self._cloud_answers():
            return
        self._end("cloud")
        # The same port again: what runs in the instance's sandbox knows the address.
        port = self._last_port()
        (self.folder.path / "cloud" / "endpoint.json").unlink(missing_ok=True)
        self.say("Starting the local cloud …")
        self._start("cloud", "--port", str(port))
        self._until("cloud", self._cloud_answers, CloudUnavailable)

    def _up_hypervisor(self) -> None:
        if self._find("hypervisor") and self._hypervisor_answers():
            return
        self._end("hypervisor")
        (self.runtime / "hypervisor.sock").unlink(missing_ok=True)
        self.say("Starting the hypervisor …")
        self._start("hypervisor", "--runtime", str(self.runtime), *_application())
        self._until("hypervisor", self._hypervisor_answers, HostError)

    def _start(self, name: str, *arguments: str) -> None:
        log = str(self.folder.path / "logs" / f"{name}.log")
        # -P: a module beside the notebook must not stand in for one of the standard library.
        command = [sys.executable, "-P", "-m", _MODULES[name], "--lab", str(self.folder.path)]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            sys.executable,
            [*command, *arguments],
            isolated_environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._children.append(pid)
        record = {"pid": pid, "started": _start_tick(pid)}
        save(self.runtime / f"{name}.pid", json.dumps(record).encode())

    def _until(self, name: str, ready: Callable[[], bool], failure: type[ServiceError]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if ready():
                return
            if self._find(name) is None:
                raise self._dead(name, failure)
            time.sleep(0.02)
        raise failure(
            f"the {name} did not answer within {READY_SECONDS:.0f} s",
            expected="an answer on its socket",
            where=name,
            next=f"read logs/{name}.log in the lab folder; `nitro-workflow down` ends what is left",
        )

    def _dead(self, name: str, failure: type[ServiceError]) -> ServiceError:
        log = self.folder.path / "logs" / f"{name}.log"
        text = log.read_text(errors="replace")[-LOG_TAIL:].strip() if log.exists() else ""
        last = text.splitlines()[-1] if text else "it said nothing"
        if "address already in use" in text.lower() or "address in use" in text.lower():
            return failure(
                f"the port is taken: {last}",
                expected="the port that this lab's cloud had before",
                where=name,
                next="end the program that listens there, or `nitro-workflow down --new-port`",
            )
        kind = SandboxUnavailable if "SandboxUnavailable" in text else failure
        return kind(
            f"the {name} ended while starting: {last}",
            expected="a running process",
            where=name,
            next=f"read logs/{name}.log in the lab folder",
        )

    # -- down --------------------------------------------------------------------------------------

    def down(self, *, new_port: bool = False, but: tuple[str, ...] = ()) -> list[str]:
        """Stop them, the hypervisor with its enclaves first. Returns the names of those."""
        names = [name for name in ("idle", "hypervisor", "cloud") if name not in but]
        with self.folder.lock("stopping the lab's processes"):
            stopped = [name for name in names if self._end(name)]
            self._reap()
            self._sweep()
            if new_port:
                (self.folder.path / "cloud" / "port").unlink(missing_ok=True)
        return stopped

    def _sweep(self) -> None:
        """Remove what stopped instances stored: copies of the ciphertext, on a disk that is RAM."""
        from nitro_workflow.host import SandboxHost

        with contextlib.suppress(OSError):
            SandboxHost(self.runtime).sweep()

    def _end(self, name: str) -> bool:
        found = self._find(name)
        if found:
            found.end()
        self._reap()
        (self.runtime / f"{name}.pid").unlink(missing_ok=True)
        return found is not None

    def _reap(self) -> None:
        """Collect the ends of children of this process, so that none stays as a zombie."""
        self._children = [pid for pid in self._children if _runs(pid)]

    def _find(self, name: str) -> _Process | None:
        """Return the running process of that name; a stale or half pid file is none."""
        self._reap()
        path = self.runtime / f"{name}.pid"
        try:
            record = read_json(path)
            found = _Process(int(record["pid"]), str(record["started"]))
        except (LabError, KeyError, TypeError, ValueError):
            return None
        return found if found.alive else None

    # -- do they answer ----------------------------------------------------------------------------

    def _cloud_answers(self) -> bool:
        """Shake hands over TLS with the lab's CA: a stranger on that port is not the cloud."""
        try:
            at = self.endpoint()
            context = ssl.create_default_context(cafile=at.ca)
            with (
                socket.create_connection(("127.0.0.1", at.port), CONNECT_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1"),
            ):
                save(self.folder.path / "cloud" / "port", str(at.port).encode())
                return True
        except (CloudUnavailable, LabError, OSError, ValueError):
            return False

    def _hypervisor_answers(self) -> bool:
        if not (self.folder.path / "hypervisor" / "root.pem").exists():
            return False
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONNECT_SECONDS)
            return connection.connect_ex(str(self.runtime / "hypervisor.sock")) == 0

    def _last_port(self) -> int:
        try:
            return int((self.folder.path / "cloud" / "port").read_text())
        except (OSError, ValueError):
            return 0


def _application() -> list[str]:
    """Return what the hypervisor runs on each instance, by file: a host knows no application."""
    import enclave_image

    folder = Path(enclave_image.__file__).resolve().parent
    return ["--application", str(folder / "parent" / "__main__.py"), "--visible", str(folder)]


def _start_tick(pid: int) -> str:
    """Return field 22 of /proc/PID/stat, the tick of its start; "" for no process or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _runs(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False  # somebody else in this process has collected it


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
