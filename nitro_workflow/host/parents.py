"""A parent instance from the hypervisor's side: its folder, its sandbox, its metadata service.

The sandbox shares the network, so that the parent reaches the cloud, and sees: this system's
programs, the Python that runs this, the package, the applications' folder, the CA file, all
read-only; and its own folder. Not the lab, not the hypervisor's socket, not any process of this
machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nitro_workflow
from nitro_workflow.errors import HostError
from nitro_workflow.host import instance_folder
from nitro_workflow.host import sandbox as sandboxes
from nitro_workflow.host.imds import MetadataService
from nitro_workflow.host.sandbox import INSTANCE_MEMORY, Bind, Sandbox, SandboxSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nitro_workflow.host.records import CloudAddress, InstanceRecord, RoleCredentials

__all__ = ["INSIDE", "KMS_PORT", "Parent", "ParentPrograms"]

INSIDE: Final = "/run/instance"
"""Where the instance sees its own folder."""

CA_INSIDE: Final = "/etc/nitro-workflow/ca.pem"

KMS_PORT: Final = 8000
"""vsock port of the proxy to KMS. [src: nitro-enclaves-vsock-proxy.service]"""

PROXY_CONNECTIONS: Final = 8

READY_SECONDS: Final = 20.0

_SYSTEM_FILES: Final = (
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
)


@dataclass(frozen=True, slots=True)
class ParentPrograms:
    """What runs on the instance: the parent application's file, further read-only folders."""

    application: Path
    folders: Sequence[Path] = ()

    @classmethod
    def of_this_package(cls) -> ParentPrograms:
        """Return the application that stands beside the package: ``enclave_image/parent.py``."""
        folder = Path(nitro_workflow.__file__).resolve().parents[1] / "enclave_image"
        return cls(folder / "parent.py", (folder,))


class Parent:
    """One running instance. Raises `HostError` or `SandboxUnavailable` when it does not come up."""

    def __init__(
        self,
        record: InstanceRecord,
        folder: Path,
        address: CloudAddress,
        fetch: Callable[[], RoleCredentials],
        programs: ParentPrograms,
        *,
        unsafe_without_sandbox: bool = False,
    ) -> None:
        self.record = record
        self.folder = folder
        self.sandboxed = not unsafe_without_sandbox
        self._inside = INSIDE if self.sandboxed else str(folder)
        user = None if unsafe_without_sandbox else sandboxes.sandbox_user(0)
        instance_folder.prepare(folder, address, user)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.vsock = os.open(folder / "vsock", flags)
        self.metadata = MetadataService(record, fetch, user=user)
        self._sandbox: Sandbox | None = None
        try:
            self._start(address, programs)
        except BaseException:
            self.stop()
            raise

    @property
    def healthy(self) -> bool:
        """Whether the sandbox and every program of it run."""
        running = self._sandbox is not None and self._sandbox.process.poll() is None
        return running and all(it.get("exit") is None for it in self.status().values())

    def status(self) -> dict[str, dict[str, Any]]:
        """Return ``{program: {"pid", "exit"}}`` as the instance tells; pids are the sandbox's."""
        return instance_folder.programs(self.folder)

    def describe(self) -> dict[str, Any]:
        """Return what a client needs to talk to the instance."""
        return {
            "InstanceId": self.record.instance_id,
            "RoleArn": self.record.role_arn,
            "ControlSocket": str(self.folder / "control.sock"),
            "RunSocket": str(self.folder / "run.sock"),
            "TraceFile": str(self.folder / "trace.jsonl"),
            "MetadataEndpoint": self.metadata.endpoint,
            "Sandboxed": self.sandboxed,
            "Programs": self.status(),
        }

    def stop(self) -> None:
        """End every process of the instance; its state and trace stay."""
        if self._sandbox is not None:
            self._sandbox.kill()
        self.metadata.close()
        with contextlib.suppress(OSError):
            os.close(self.vsock)
        instance_folder.clear(self.folder)

    def _start(self, address: CloudAddress, programs: ParentPrograms) -> None:
        credentials = self.metadata.prepare()
        binds, links = _visible(self.folder, address, programs)
        spec = SandboxSpec(
            memory=INSTANCE_MEMORY,
            command=(
                sys.executable,
                "-m",
                "nitro_workflow.host.instance",
                self._config(address, programs),
            ),
            environment=self._environment(address),
            binds=binds,
            links=links,
            folder=self._inside,
            hostname=self.record.instance_id,
            user=sandboxes.sandbox_user(0) if self.sandboxed else None,
            unsafe_folder=None if self.sandboxed else str(self.folder),
        )
        log = os.open(
            self.folder / "instance.log",
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
            0o600,
        )
        try:
            self._sandbox = sandboxes.start(spec, output=log)
        finally:
            os.close(log)
        with contextlib.suppress(TimeoutError):
            self._sandbox.next_event(READY_SECONDS)
        self._await_ready()
        credentials.join(READY_SECONDS)

    def _config(self, address: CloudAddress, programs: ParentPrograms) -> str:
        proxy = [
            *(sys.executable, "-m", "nitro_workflow.vsock.proxy"),
            *("--config", "vsock-proxy.yaml", "--trace", "trace.jsonl"),
            *("-w", str(PROXY_CONNECTIONS), str(KMS_PORT), address.host, str(address.port)),
        ]
        application = [sys.executable, str(programs.application)]
        return json.dumps(
            {"folder": self._inside, "programs": {"proxy": proxy, "parent": application}}
        )

    def _environment(self, address: CloudAddress) -> Mapping[str, str]:
        source = str(Path(nitro_workflow.__file__).resolve().parents[1])
        region = self.record.region
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": f"{self._inside}/state",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": source,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NITRO_WORKFLOW_INSTANCE": self._inside,
            "NITRO_WORKFLOW_VSOCK": f"host:{self._inside}/vsock",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.endpoint,
            # botocore's own are 1 s and 1: too little on a busy machine.
            "AWS_METADATA_SERVICE_TIMEOUT": "5",
            "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": address.url,
            "AWS_CA_BUNDLE": CA_INSIDE if self.sandboxed else address.ca,
        }

    def _await_ready(self) -> None:
        """Wait until the proxy and the parent listen; raises `HostError` with the end of a log."""
        ready: dict[str, Callable[[], bool]] = {
            # Not by connecting: the proxy would carry that to the cloud, and into the trace.
            "proxy": lambda: "->" in instance_folder.last_lines(self.folder / "proxy.log"),
            "parent": lambda: instance_folder.answers(self.folder / "control.sock"),
        }
        deadline = time.monotonic() + READY_SECONDS
        while late := [name for name, is_ready in ready.items() if not is_ready()]:
            ended = [name for name, it in self.status().items() if it.get("exit") is not None]
            alive = self._sandbox is not None and self._sandbox.process.poll() is None
            if ended or not alive or time.monotonic() > deadline:
                name = (ended or late)[0] if alive else "instance"
                said = instance_folder.last_lines(self.folder / f"{name}.log")
                raise HostError(
                    f"{name} does not run: {said}",
                    expected=f"the proxy and the parent application within {READY_SECONDS:.0f} s",
                    where=f"instance {self.record.instance_id}",
                    next="run step P8 again; the instance's logs stand in its folder",
                )
            time.sleep(0.02)


def _visible(
    folder: Path, address: CloudAddress, programs: ParentPrograms
) -> tuple[list[Bind], dict[str, str]]:
    binds, links = sandboxes.system_binds()
    package = Path(nitro_workflow.__file__).resolve().parent
    wanted = [Path(sys.base_prefix), Path(sys.prefix), package, *programs.folders]
    wanted += [programs.application, *map(Path, _SYSTEM_FILES)]
    covered = [Path(bind.target) for bind in binds] + [Path(link) for link in links]
    for path in sorted(wanted, key=lambda it: len(it.parts)):
        if path.exists() and not any(path == it or it in path.parents for it in covered):
            binds.append(Bind(str(path), str(path)))
            covered.append(path)
    binds.append(Bind(address.ca, CA_INSIDE))
    binds.append(Bind(str(folder), INSIDE, writable=True))
    return binds, links
