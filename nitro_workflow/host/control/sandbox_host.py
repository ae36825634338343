"""The hypervisor's client: nitro-cli's operations, and what AWS does around an instance."""

from __future__ import annotations

import base64
import contextlib
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import FrameError, HostError, VsockError
from nitro_workflow.host.control.control_line import NO_HYPERVISOR, SOCKET_NAME, ask
from nitro_workflow.host.control.parent_channel import SocketChannel
from nitro_workflow.host.instance.instance_paths import (
    CONTROL_SOCKET,
    LOGS,
    STATE,
    TRACE_FILE,
    instance_path,
    instance_paths,
    vsock_folder,
)
from nitro_workflow.host.instance.instance_socket import connect
from nitro_workflow.host.protocol import LaunchRequest
from nitro_workflow.host.rules.limits import DISK_MIB
from nitro_workflow.regular_file import read_regular
from nitro_workflow.remove_tree import remove_tree
from nitro_workflow.vsock import HostTransport, read_trace, recv_json, send_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nitro_workflow.image import BootParts

__all__ = ["SandboxHost"]

QUICK: Final = 60.0  # seconds for what only looks, and first waits for a trial of the sandbox
LAUNCH: Final = 200.0  # seconds for an enclave: the heartbeat alone may take 180
BOOT: Final = 200.0  # seconds for an instance: its network, its start, its programs
LOG_TAIL: Final = 64 * 1024  # bytes of each log


class SandboxHost:
    """Runs enclaves in sandboxes of this machine.

    Errors are `HostError` with nitro-cli's code, `SandboxUnavailable`, or what the cloud said.
    ``runtime`` is the folder with the hypervisor's socket.

    ::

        host = SandboxHost(runtime)
        host.run_enclave(LaunchRequest("app.eif", 512, 2))["EnclaveCID"]  # 16
    """

    def __init__(self, runtime: Path) -> None:
        self._runtime = Path(runtime)
        self._path = self._runtime / SOCKET_NAME

    # -- nitro-cli --------------------------------------------------------------------------------

    def run_enclave(self, request: LaunchRequest) -> dict[str, Any]:
        """Run an image; returns nitro-cli's object for run-enclave once the enclave has booted."""
        # The hypervisor has a working directory of its own.
        there = replace(request, eif_path=str(Path(request.eif_path).absolute()))
        answer: dict[str, Any] = ask(self._path, "run-enclave", timeout=LAUNCH, **there.to_json())
        return answer

    def describe_enclaves(self, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Return the running enclaves; ``metadata`` adds what the image's metadata section says."""
        answer: list[dict[str, Any]] = ask(
            self._path, "describe-enclaves", timeout=QUICK, metadata=metadata
        )
        return answer

    def terminate_enclave(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None
    ) -> dict[str, Any]:
        """End one enclave; returns when every process of it is gone."""
        answer: dict[str, Any] = ask(
            self._path,
            "terminate-enclave",
            timeout=QUICK,
            enclave_id=enclave_id,
            enclave_name=enclave_name,
        )
        return answer

    def console(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None, offset: int = 0
    ) -> dict[str, Any]:
        """Return ``{"text", "offset", "ended"}``: a debug enclave's output from byte ``offset`` on.

        A debug enclave that ended can still be read. `HostError` E44 for a production enclave.
        """
        answer: dict[str, Any] = ask(
            self._path,
            "console",
            timeout=QUICK,
            enclave_id=enclave_id,
            enclave_name=enclave_name,
            offset=offset,
        )
        return answer

    def image_folder(self, image: Path) -> str:
        """Return "": this package's nitro-cli asks the same hypervisor, on this machine."""
        del image
        return ""

    # -- AWS's side -------------------------------------------------------------------------------

    def boot_instance(self, instance_id: str, *, disk_mib: int = DISK_MIB) -> dict[str, Any]:
        """Start the instance's sandbox, metadata service, proxy and parent application.

        Returns ``InstanceId, RoleArn, ControlSocket, RunSocket, TraceFile, MetadataEndpoint,
        Programs``. One that runs is left alone; one of which a program has ended is started again.
        """
        answer: dict[str, Any] = ask(
            self._path, "boot-instance", timeout=BOOT, instance_id=instance_id, disk_mib=disk_mib
        )
        return answer

    def describe_instance(self, instance_id: str) -> dict[str, Any]:
        """Return what `boot_instance` returned, with the programs' present state."""
        answer: dict[str, Any] = ask(
            self._path, "describe-instance", timeout=QUICK, instance_id=instance_id
        )
        return answer

    def describe_instances(self) -> list[dict[str, Any]]:
        """Return every instance with its enclaves, also one that is stopped and left its folder."""
        answer: list[dict[str, Any]] = ask(self._path, "describe-instances", timeout=QUICK)
        return answer

    def sweep(self) -> None:
        """Remove what instances have stored that do not run: copies of ciphertext, job records.

        Raises `HostError` where a hypervisor runs and does not say which do.
        """
        running: set[str] = set()
        try:
            running = {
                it["InstanceId"] for it in self.describe_instances() if it["State"] != "stopped"
            }
        except HostError as error:
            if not isinstance(error.__cause__, NO_HYPERVISOR):
                raise
        for folder in instance_paths(self._runtime):
            if folder.name not in running:
                remove_tree(folder / STATE)

    def stop_instance(self, instance_id: str) -> None:
        """Stop the instance and its enclaves; without effect where it does not run."""
        ask(self._path, "stop-instance", timeout=BOOT, instance_id=instance_id)

    def run_command(
        self, instance_id: str, argv: Sequence[str], *, timeout: float = 60.0
    ) -> dict[str, Any]:
        """Run ``argv`` inside the instance, as its administrator does through SSM.

        Returns ``{"exit": int, "stdout": str, "stderr": str}``; ``timeout`` in seconds.
        """
        path = Path(self.describe_instance(instance_id)["RunSocket"])
        try:
            with connect(path, timeout + 5) as sock:
                send_json(sock, {"argv": list(argv), "timeout": timeout})
                return recv_json(sock)
        except (OSError, VsockError, FrameError) as error:
            raise HostError(
                f"the instance does not answer ({self._why_not(instance_id, error)})",
                expected="a running instance",
                where=f"instance {instance_id}",
                next="run step P8 again",
            ) from error

    def _why_not(self, instance_id: str, error: Exception) -> str:
        """Return what the instance was ended for, if it was; else what the connection says."""
        with contextlib.suppress(HostError):
            if reason := self.describe_instance(instance_id)["EndedFor"]:
                return f"ended: more than its {reason}"
        return getattr(error, "strerror", None) or str(error)

    def channel(self, instance_id: str) -> SocketChannel:
        """Return the way to the parent application; asks nobody yet."""
        return SocketChannel(instance_path(self._runtime, instance_id) / CONTROL_SOCKET)

    def vsock(self, instance_id: str) -> HostTransport:
        """Return vsock as the instance has it: to its enclaves, and for them."""
        return HostTransport(vsock_folder(self._runtime, instance_id))

    def trace(self, instance_id: str | None = None) -> list[dict[str, Any]]:
        """Return what the parent and its proxy wrote; None: of every instance that left any."""
        folders = (
            instance_paths(self._runtime)
            if instance_id is None
            else [instance_path(self._runtime, instance_id)]
        )
        return [line for folder in folders for line in read_trace(folder / TRACE_FILE)]

    def logs(self, instance_id: str) -> dict[str, str]:
        """Return the last 64 KiB of what the instance's programs printed, by program."""
        folder = instance_path(self._runtime, instance_id)
        return {
            name: read_regular(folder / file, LOG_TAIL, from_end=True).decode("utf-8", "replace")
            for name, file in LOGS.items()
        }

    def limits(self) -> str:
        """Return in words what holds the limits: control groups, or rlimits and a watch."""
        return str(self.ping()["limits"])

    def execution(self) -> str:
        """Return what of an image the hypervisor executes: not all of it, or by what."""
        return str(self.ping()["runs"])

    def given_instance(self) -> str:
        """Return "": the cloud makes each instance."""
        return ""

    def launch_settings(self, token: str) -> dict[str, Any]:
        """Return nothing: the record of an instance is all that this machine needs."""
        del token
        return {}

    def launch_again(self, code: str) -> bool:
        """Return False: there is no other place."""
        del code
        return False

    def boot_parts(self) -> BootParts:
        """Return stand-ins: they are measured, and the sandbox plays what they would do."""
        from nitro_workflow.image import BootParts

        return BootParts.stand_in(platform.machine())

    def fetch_boot_parts(self, instance_id: str) -> Mapping[str, str]:
        """Return {}: `boot_parts` has its own."""
        del instance_id
        return {}

    def attestation_root(self) -> bytes:
        """Return the root certificate of the hypervisor's attestation PKI, DER."""
        text: str = ask(self._path, "attestation-root", timeout=QUICK)
        return base64.b64decode(text)

    def control_paths(self) -> list[str]:
        """Return the hypervisor's socket."""
        return [str(self._path)]

    def ping(self) -> dict[str, Any]:
        """Return ``{"pid", "instances", "sandboxed", "machine", "runs", "limits"}``."""
        answer: dict[str, Any] = ask(self._path, "ping", timeout=QUICK)
        return answer
