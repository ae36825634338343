"""The background processes of a lab, the cloud and the hypervisor: start, adopt, stop.

They run in sessions of their own, so that they outlive a notebook's kernel, and end with `down`,
with the idle watch, or at the end of what started them. Which of them run is read from the
kernel's table (`process_table`): no record of ours has to be there, or be right.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import Endpoint, isolated_environment, serving_pid
from nitro_workflow.errors import CloudUnavailable, HostError, LabError, SandboxUnavailable
from nitro_workflow.host import checked_machine
from nitro_workflow.lab.lab_folder import LabFolder, save
from nitro_workflow.lab.processes.disk_room import require_room
from nitro_workflow.lab.processes.process_table import (
    NAMES,
    LabProcess,
    command_of,
    find_processes,
    is_running,
    start_tick,
)
from nitro_workflow.lab.processes.runtime_place import known_runtime, make_runtime, remove_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.errors import ServiceError

__all__ = ["Processes"]

READY_SECONDS: Final = 60.0
"""Each process is up within 2 s on an idle laptop; this is for a loaded CI machine."""

IDLE_SECONDS: Final = 4 * 3600
"""Without a step for so long, the idle watch stops the processes."""

DOWN_SECONDS: Final = 30.0
"""How long `down` waits for a step that is under way."""

ROOM: Final = 1 << 20
"""Bytes of the lab's disk that a process needs to start: its log, the cloud's journal."""

CONNECT_SECONDS: Final = 30.0
"""A process that has not answered for so long hangs, and is replaced; a busy one takes its time."""

LOG_TAIL: Final = 400  # characters of a dead process's log that are shown
SERVED: Final = "another process that serves this folder"  # what a second cloud ends with

_LAST_FIRST: Final = ("idle", "hypervisor", "cloud")


class Processes:
    """The cloud, the hypervisor and the idle watch of one lab.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Processes(LabFolder.open(folder)).status()
    {'cloud': 'stopped', 'hypervisor': 'stopped', 'idle': 'stopped'}
    """

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.say = say or (lambda _: None)
        self.idle_seconds = IDLE_SECONDS
        self._known: dict[str, LabProcess] = {}
        self._children: list[int] = []
        self._log_from: dict[str, int] = {}  # where the log of the present start begins

    # -- what is running ---------------------------------------------------------------------------

    @property
    def runtime(self) -> Path:
        """Return the folder of the lab's sockets: the running hypervisor's, else the one known."""
        found = self._find("hypervisor")
        return Path(found.runtime) if found else known_runtime(self.folder)

    @property
    def machine(self) -> str:
        """Return what the lab's enclaves are: ``sandbox`` or ``qemu``."""
        return checked_machine(str(self.folder.settings().get("host") or "sandbox"))

    def status(self) -> dict[str, str]:
        """Return ``running (pid n)`` or ``stopped`` for each process; changes nothing."""
        return {name: self._state(name) for name in NAMES}

    def _state(self, name: str) -> str:
        if found := self._find(name):
            gone = name == "hypervisor" and not self._socket.exists()
            return f"running (pid {found.pid}){', its sockets are not there' if gone else ''}"
        if left := self._left(name):
            return f"running (pid {left[0].pid}) for {_former(left[0], self.folder)}"
        if name == "cloud" and (pid := self._served_by_hand()):
            return f"running (pid {pid}), started by hand"
        return "stopped"

    def endpoint(self) -> Endpoint:
        """Return the cloud's address; raises `CloudUnavailable` when it is not running."""
        if self._find("cloud") is None and not self._served_by_hand():
            raise CloudUnavailable(
                "the local cloud is not running",
                expected="an endpoint on loopback",
                where="cloud",
                next="run any step: it starts the cloud; or `nitro-workflow step P1`",
            )
        return Endpoint.of(self.folder.path)

    @property
    def _socket(self) -> Path:
        return self.runtime / "hypervisor.sock"

    def _served_by_hand(self) -> int:
        """Return the pid of a `cloud serve` that a person runs in this lab; 0 for none."""
        pid = serving_pid(self.folder.path)
        return pid if is_running(pid) and self._cloud_answers() else 0

    def _find(self, name: str) -> LabProcess | None:
        """Return the process of that name that was started for this very lab."""
        self._reap()
        known = self._known.get(name)
        if known is None or not known.alive:
            ours = (one for one in self._all(name) if self._is_ours(one))
            known = next(ours, None)
        if known is None:
            self._known.pop(name, None)
        else:
            self._known[name] = known
        return known

    def _all(self, name: str) -> list[LabProcess]:
        found = find_processes(self.folder.path, self.folder.identity)
        return [one for one in found if one.name == name]

    def _left(self, name: str) -> list[LabProcess]:
        """Return what runs for a lab that was here, or that was moved here: it is of no use."""
        return [one for one in self._all(name) if not self._is_ours(one)]

    def _is_ours(self, found: LabProcess) -> bool:
        same = found.identity == self.folder.identity
        return same and Path(found.lab).resolve() == self.folder.path

    # -- up ----------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start what is not running, cloud first; adopt what is. Blocks until both answer.

        Raises `CloudUnavailable`, `HostError` or `SandboxUnavailable` with the end of the process's
        log.
        """
        with self.folder.lock("starting the lab's processes"):
            self.folder.touch()
            self.folder.sweep()
            for name in _LAST_FIRST:
                for left in self._left(name):
                    self.say(f"Ending the {name} of {_former(left, self.folder)} …")
                    left.end()
            self._up_cloud()
            self._up_hypervisor()
            self.folder.touch()
            if self._find("idle") is None:
                patience = ("--seconds", str(self.idle_seconds))
                self._start("idle", *patience, "--identity", self.folder.identity)

    def _up_cloud(self) -> None:
        if self._cloud_answers():
            return
        self._end("cloud")
        # The same port again: what runs in the instance's sandbox knows the address.
        port = self._last_port()
        self.say("Starting the local cloud …")
        self._start("cloud", "--port", str(port))
        self._until("cloud", self._cloud_answers, CloudUnavailable)
        answered = Endpoint.of(self.folder.path).port
        if answered != port:
            save(self.folder.path / "cloud" / "port", str(answered).encode())

    def _up_hypervisor(self) -> None:
        found, machine = self._find("hypervisor"), self.machine
        if found and found.machine == machine and self._hypervisor_answers():
            return
        self._end("hypervisor")
        runtime = make_runtime(self.folder)
        (runtime / "hypervisor.sock").unlink(missing_ok=True)
        self.say("Starting the hypervisor …")
        how = ("--runtime", str(runtime), "--machine", machine)
        self._start("hypervisor", *how, *_application())
        self._until("hypervisor", self._hypervisor_answers, HostError)

    def _start(self, name: str, *arguments: str) -> None:
        require_room(self.folder.path, ROOM)
        log = self.folder.path / "logs" / f"{name}.log"
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._log_from[name] = os.fstat(descriptor).st_size
            pid = os.posix_spawn(
                sys.executable,
                command_of(name, self.folder.path, self.folder.identity, *arguments),
                isolated_environment(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, descriptor, 1),
                    (os.POSIX_SPAWN_DUP2, descriptor, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(descriptor)
        self._children.append(pid)
        runtime, machine = arguments[1:4:2] if name == "hypervisor" else ("", "")
        self._known[name] = LabProcess(
            name, pid, start_tick(pid), str(self.folder.path), self.folder.identity, runtime,
            machine,
        )  # fmt: skip

    def _until(self, name: str, ready: Callable[[], bool], failure: type[ServiceError]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if ready():
                return
            # One that a person is starting by hand is about to answer in its place.
            if self._find(name) is None and SERVED not in self._log(name):
                raise self._dead(name, failure)
            time.sleep(0.02)
        raise failure(
            f"the {name} did not answer within {READY_SECONDS:.0f} s",
            expected="an answer on its socket",
            where=name,
            next=f"read logs/{name}.log in the lab folder; `nitro-workflow down` ends what is left",
        )

    def _log(self, name: str) -> str:
        log = self.folder.path / "logs" / f"{name}.log"
        try:
            with log.open("rb") as file:
                file.seek(self._log_from.get(name, 0))
                return file.read().decode("utf-8", "replace")[-LOG_TAIL:].strip()
        except OSError:
            return ""

    def _dead(self, name: str, failure: type[ServiceError]) -> ServiceError:
        text = self._log(name)
        if not text:
            require_room(self.folder.path, ROOM)  # without it, it could not say anything
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
        names = [name for name in _LAST_FIRST if name not in but]
        with self.folder.lock("stopping the lab's processes", DOWN_SECONDS):
            runtimes = {self.runtime, *(Path(p.runtime) for p in self._all("hypervisor"))}
            stopped = [name for name in names if self._end(name)]
            self._reap()
            for runtime in runtimes:
                remove_runtime(runtime)
            if new_port:
                (self.folder.path / "cloud" / "port").unlink(missing_ok=True)
        return stopped

    def _end(self, name: str) -> bool:
        found = self._all(name)
        for one in found:
            one.end()
        self._reap()
        self._known.pop(name, None)
        return bool(found)

    def _reap(self) -> None:
        """Collect the ends of children of this process, so that none stays as a zombie."""
        self._children = [pid for pid in self._children if _runs(pid)]

    # -- do they answer ----------------------------------------------------------------------------

    def _cloud_answers(self) -> bool:
        """Shake hands over TLS with the lab's CA: a stranger on that port is not the cloud."""
        try:
            at = Endpoint.of(self.folder.path)
            context = ssl.create_default_context(cafile=at.ca)
            with (
                socket.create_connection((at.host, at.port), CONNECT_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=at.host),
            ):
                return True
        except (CloudUnavailable, LabError, OSError, ValueError):
            return False

    def _hypervisor_answers(self) -> bool:
        if not (self.folder.path / "hypervisor" / "root.pem").exists():
            return False
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONNECT_SECONDS)
            return connection.connect_ex(str(self._socket)) == 0

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


def _former(found: LabProcess, folder: LabFolder) -> str:
    """Say of which lab a process is that is not this one's."""
    if found.lab == str(folder.path):
        return "the lab that was here before"
    return f"{found.lab}, the lab's former place"


def _runs(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False  # somebody else in this process has collected it
