"""A parent instance from the hypervisor's side: its folder, its sandbox, its network.

The sandbox sees: this system's programs, the Python that runs this, the package, the applications'
folder, the CA file, all read-only; and its own folder. Not the lab, not the hypervisor's socket,
not any process of this machine. It reaches its metadata service and the cloud, no other address.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.instance import instance_folder, instance_spec
from nitro_workflow.host.instance.disk_watch import DiskWatch
from nitro_workflow.host.instance.imds import MetadataService
from nitro_workflow.host.instance.imds_server import MetadataServer
from nitro_workflow.host.instance.instance_network import InstanceNetwork, places
from nitro_workflow.host.instance.instance_paths import (
    CONTROL_SOCKET,
    LOGS,
    RUN_SOCKET,
    TRACE_FILE,
)
from nitro_workflow.host.instance.instance_spec import INSIDE, ParentPrograms
from nitro_workflow.host.sandbox import launcher as sandboxes
from nitro_workflow.host.sandbox.launcher import Sandbox, SandboxSpec, Supervision
from nitro_workflow.host.sandbox.supervision import supervision_problem
from nitro_workflow.host.sandbox.supervisor_line import SupervisorLine
from nitro_workflow.host.sandbox.watch import Watch
from nitro_workflow.vsock import PARENT_CID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nitro_workflow.cloud import Endpoint
    from nitro_workflow.host.instance.cloud_records import InstanceRecord, RoleCredentials
    from nitro_workflow.host.rules.limits import Limits
    from nitro_workflow.host.sandbox.launcher import BootEvent

__all__ = ["ParentInstance"]

READY_SECONDS: Final = 60.0
"""For each part of a start. Tenths in fact; what has ended is not waited for."""


class ParentInstance:
    """One running instance. Raises `HostError` or `SandboxUnavailable` when it does not come up.

    ``number`` is the sandbox user's, where root makes the instance.
    """

    def __init__(
        self,
        record: InstanceRecord,
        folder: Path,
        address: Endpoint,
        fetch: Callable[[], RoleCredentials],
        programs: ParentPrograms,
        *,
        number: int,
        limits: Limits,
        unsafe_without_sandbox: bool = False,
    ) -> None:
        self.record = record
        self.folder = folder
        self.sandboxed = not unsafe_without_sandbox
        self.supervised = self.sandboxed and supervision_problem() is None
        self._line = SupervisorLine(self._lost_supervisor) if self.supervised else None
        self._inside = INSIDE if self.sandboxed else str(folder)
        self._user = sandboxes.sandbox_user(number) if self.sandboxed else None
        self.limits = limits
        self.ended_for = ""  # what was too much, where the watch has ended it
        instance_folder.prepare(folder, address, self._user, limits.disk)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.vsock = os.open(folder / "vsock", flags)
        self._sandbox: Sandbox | None = None
        self._network: InstanceNetwork | MetadataServer | None = None
        self._limit_watch: Watch | None = None
        try:
            self._start(address, programs, MetadataService(record, fetch))
        except BaseException:
            self.stop()
            raise

    @property
    def healthy(self) -> bool:
        """Whether the sandbox, its network and every program of it run."""
        running = self._sandbox is not None and self._sandbox.process.poll() is None
        connected = self._network is not None and self._network.alive
        ended = [it for it in self.status().values() if it.get("exit") is not None]
        return running and connected and not ended and not self.ended_for

    def runs_as(self, record: InstanceRecord, limits: Limits) -> bool:
        """Tell whether this is just what a boot would make."""
        return self.healthy and (self.record, self.limits) == (record, limits)

    def status(self) -> dict[str, dict[str, Any]]:
        """Return ``{program: {"pid", "exit"}}`` as the instance tells; pids are the sandbox's."""
        return instance_folder.programs(self.folder)

    def describe(self) -> dict[str, Any]:
        """Return what a client needs to talk to the instance."""
        return {
            "InstanceId": self.record.instance_id,
            "RoleArn": self.record.role_arn,
            "ControlSocket": str(self.folder / CONTROL_SOCKET),
            "RunSocket": str(self.folder / RUN_SOCKET),
            "TraceFile": str(self.folder / TRACE_FILE),
            "MetadataEndpoint": self._network.endpoint if self._network else None,
            "Sandboxed": self.sandboxed,
            "EndedFor": self.ended_for,
            "Programs": self.status(),
        }

    def stop(self) -> None:
        """End every process of the instance, then its network; its state and trace stay."""
        if self._limit_watch is not None:
            self._limit_watch.close()
        if self._line is not None:
            self._line.close()
        if self._sandbox is not None:
            self._sandbox.kill()
        if self._network is not None:
            self._network.close()
        with contextlib.suppress(OSError):
            os.close(self.vsock)
        instance_folder.clear(self.folder)

    def _start(
        self, address: Endpoint, programs: ParentPrograms, metadata: MetadataService
    ) -> None:
        credentials = metadata.prepare()
        endpoint = None
        if not self.sandboxed:
            self._network = MetadataServer(metadata)
            endpoint = self._network.endpoint
        spec = self._spec(address, programs, endpoint)
        log = os.open(
            self.folder / LOGS["instance"],
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
            0o600,
        )
        try:
            self._sandbox = sandboxes.start(spec, output=log)
        finally:
            os.close(log)
        if self._line is not None:
            self._line.started()
        if self.sandboxed:
            self._connect(self._sandbox, metadata, address)
        self._watch_over(self._sandbox, self._next_event(self._sandbox, "program"))
        self._await_ready()
        credentials.join(READY_SECONDS)

    def _watch_over(self, sandbox: Sandbox, started: BootEvent) -> None:
        """Hold its disk and logs, and its memory where no control group does."""
        disk = DiskWatch(self.folder, self.limits.disk, instance_folder.folder_mode(self._user))
        held = sandbox.group is not None
        root = next(iter(started.descriptors), None)
        self._limit_watch = Watch(
            sandbox.pid,
            self.limits,
            root,
            self._over_limit,
            memory=not held,
            more=disk,
            apart=started.fields.get("supervisor"),
        )

    def _lost_supervisor(self, said: str) -> None:
        """End an instance whose vsock nothing answers any more."""
        if self.ended_for:  # in the course of that
            return
        if self._sandbox is not None and self._sandbox.process.poll() is None:
            self._end_for("supervisor", f"its supervisor has ended ({said})")

    def _over_limit(self, reason: str) -> None:
        self._end_for(reason, f"more than its {reason}")

    def _end_for(self, reason: str, words: str) -> None:
        self.ended_for = reason
        where = self.record.instance_id
        print(f"instance {where} ended: {words}", file=sys.stderr, flush=True)
        if self._sandbox is not None:
            self._sandbox.kill()

    def _spec(
        self, address: Endpoint, programs: ParentPrograms, endpoint: str | None
    ) -> SandboxSpec:
        binds, links = instance_spec.visible(self.folder, address, programs)
        config = instance_spec.config(self._inside, address, programs)
        return SandboxSpec(
            limits=self.limits,
            command=(sys.executable, "-m", "nitro_workflow.host.instance.first_process", config),
            environment=instance_spec.environment(
                self._inside, address, self.record, endpoint, supervised=self.supervised
            ),
            binds=binds,
            links=links,
            folder=self._inside,
            hostname=self.record.instance_id,
            user=self._user,
            listeners=places(address) if self.sandboxed else (),
            unsafe_folder=None if self.sandboxed else str(self.folder),
            supervision=None if self._line is None else self._supervision(self._line.control),
        )

    def _supervision(self, control: int) -> Supervision:
        return Supervision(PARENT_CID, control, folder=str(self.folder / "vsock"))

    def _connect(self, sandbox: Sandbox, metadata: MetadataService, address: Endpoint) -> None:
        """Serve the sandbox's network, for as long as the sandbox runs."""
        found = self._next_event(sandbox, "network").descriptors
        network = self._network = InstanceNetwork(found, metadata, address)

        def end_with_it() -> None:
            sandbox.process.wait()
            network.close()
            sandbox.release()
            if self._limit_watch is not None:
                self._limit_watch.close()

        threading.Thread(target=end_with_it, daemon=True, name="instance-end").start()

    def _next_event(self, sandbox: Sandbox, brings: str) -> BootEvent:
        """Return what the sandbox tells next; raises `HostError` where it does not in time.

        What has not said that it started is not watched, and so not let run.
        """
        try:
            return sandbox.next_event(READY_SECONDS)
        except TimeoutError as error:
            raise HostError(
                f"the instance has no {brings} after {READY_SECONDS:.0f} s",
                expected="a network namespace with what it may reach, and a first program",
                where=f"instance {self.record.instance_id}",
                next="run step P8 again",
            ) from error

    def _await_ready(self) -> None:
        """Wait until the proxy and the parent listen; raises `HostError` with the end of a log."""
        ready: dict[str, Callable[[], bool]] = {
            # Not by connecting: the proxy would carry that to the cloud, and into the trace.
            "proxy": lambda: "->" in instance_folder.last_lines(self.folder / LOGS["proxy"]),
            "parent": lambda: instance_folder.answers(self.folder / CONTROL_SOCKET),
            "instance": lambda: instance_folder.names_both(self.folder),
        }
        deadline = time.monotonic() + READY_SECONDS
        while late := [name for name, is_ready in ready.items() if not is_ready()]:
            ended = [name for name, it in self.status().items() if it.get("exit") is not None]
            alive = self._sandbox is not None and self._sandbox.process.poll() is None
            if ended or not alive or time.monotonic() > deadline:
                name = (ended or late)[0] if alive else "instance"
                said = instance_folder.last_lines(self.folder / LOGS[name])
                raise HostError(
                    f"{name} does not run: {said}",
                    expected=f"the proxy and the parent application within {READY_SECONDS:.0f} s",
                    where=f"instance {self.record.instance_id}",
                    next="run step P8 again; the instance's logs stand in its folder",
                )
            time.sleep(0.02)
