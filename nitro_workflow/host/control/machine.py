"""AWS's side of the machine: the operations behind the hypervisor's control socket."""

from __future__ import annotations

import base64
import os
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.attestation import HypervisorPki
from nitro_workflow.errors import HostError
from nitro_workflow.host.control.enclave_json import described, started
from nitro_workflow.host.control.enclave_machines import SandboxMachine
from nitro_workflow.host.control.enclaves import Enclaves, UserNumbers
from nitro_workflow.host.control.launch_tokens import LaunchTokens
from nitro_workflow.host.instance.instance_paths import instance_path, instance_paths
from nitro_workflow.host.instance.parent_instance import ParentInstance
from nitro_workflow.host.protocol import LaunchRequest
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.rules.limits import DISK_MIB, instance_limits
from nitro_workflow.host.sandbox.launch_measurement import (
    MeasuredImage,
    launch_registers,
    measure_image,
)
from nitro_workflow.host.sandbox.launcher import limits_in_force
from nitro_workflow.host.sandbox.sealed_copy import sealed_copy
from nitro_workflow.started_threads import start_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.attestation import InstanceIssuer
    from nitro_workflow.host.control.enclave_machines import EnclaveMachine
    from nitro_workflow.host.instance.cloud_records import CloudRecords, InstanceRecord
    from nitro_workflow.host.instance.instance_spec import ParentPrograms
    from nitro_workflow.host.rules.limits import Limits

__all__ = ["Hypervisor"]

MEASURING: Final = 2  # images at a time

UNSAFE_LIMITS: Final = "rlimits and the hypervisor's watch; nothing holds processes and tmpfs"


class Hypervisor:
    """The operations behind the control socket; threads may call them at once.

    ``machine`` is what enclaves run on; the default is a sandbox.
    """

    def __init__(
        self,
        lab: Path,
        runtime: Path,
        cloud: CloudRecords,
        programs: ParentPrograms,
        *,
        machine: EnclaveMachine | None = None,
        unsafe_without_sandbox: bool = False,
    ) -> None:
        self._runtime = runtime
        self._machine = machine or SandboxMachine()
        self._unsafe = unsafe_without_sandbox
        self._cloud = cloud
        self._programs = programs
        self._pki = HypervisorPki.create(datetime.now(UTC))
        self._parents: dict[str, ParentInstance] = {}
        self._issuers: dict[str, InstanceIssuer] = {}
        self._booting: set[str] = set()
        self._lock = threading.RLock()
        self._turns: dict[str, threading.Lock] = {}  # of those who start or stop an instance
        self._signing = threading.Lock()
        self._measuring = ThreadPoolExecutor(MEASURING, thread_name_prefix="measure")
        start_threads(self._measuring, MEASURING)
        self._tokens = LaunchTokens()
        self._users = UserNumbers()
        unsafe = runtime / "unsafe" if self._unsafe else None
        self._enclaves = Enclaves(self._machine, self._users, unsafe, self._tokens.forget)
        _write_root(lab / "hypervisor" / "root.pem", self._pki.root_der)

    @property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Operation name → method, for `ControlServer`."""
        return {
            "attestation-root": self.attestation_root,
            "boot-instance": self.boot_instance,
            "console": self.console,
            "describe-enclaves": self.describe_enclaves,
            "describe-instance": self.describe_instance,
            "describe-instances": self.describe_instances,
            "ping": self.ping,
            "run-enclave": self.run_enclave,
            "stop-instance": self.stop_instance,
            "terminate-enclave": self.terminate_enclave,
        }

    # -- instances --------------------------------------------------------------------------------

    def boot_instance(self, instance_id: str, disk_mib: int = DISK_MIB) -> dict[str, Any]:
        """Start the instance, unless it runs and every program of it does."""
        with self._turn(instance_id):  # its folder is one: two starts would clear it for each other
            self._booting.add(instance_id)
            try:
                return self._boot(instance_id, instance_limits(disk_mib))
            finally:
                self._booting.discard(instance_id)

    def _boot(self, instance_id: str, limits: Limits) -> dict[str, Any]:
        record = self._cloud.instance(instance_id)
        if record.state in ("terminated", "shutting-down", "stopped", "stopping"):
            raise HostError(
                f"{instance_id} is {record.state}",
                expected="a running instance",
                where="hypervisor",
                next="run step P8: it makes a new one",
            )
        with self._lock:
            parent = self._parents.get(instance_id)
            if parent is not None and parent.runs_as(record, limits):
                return parent.describe()
        self._end(instance_id)
        parent = ParentInstance(
            record,
            instance_path(self._runtime, instance_id),
            self._cloud.address(),
            lambda: self._cloud.role_credentials(record),
            self._programs,
            number=self._users.next(),
            limits=limits,
            unsafe_without_sandbox=self._unsafe,
        )
        with self._lock:
            self._parents[instance_id] = parent
            self._issuers[instance_id] = self._pki.instance(instance_id, datetime.now(UTC))
        return parent.describe()

    def describe_instance(self, instance_id: str) -> dict[str, Any]:
        """Return the instance's sockets and the state of its programs."""
        return self._parent(instance_id).describe()

    def describe_instances(self) -> list[dict[str, Any]]:
        """Return every instance that runs, is being booted, or has left anything on this machine.

        With its enclaves, also those whose launch has only begun.
        """
        with self._lock:
            parents = dict(self._parents)
            states = dict.fromkeys((it.name for it in instance_paths(self._runtime)), "stopped")
            states.update(dict.fromkeys(self._booting, "booting"))
        states.update({it: _state(parent) for it, parent in parents.items()})
        ended = {it: parent.ended_for for it, parent in parents.items()}
        return [
            {
                "InstanceId": name,
                "State": state,
                "EndedFor": ended.get(name, ""),
                "Enclaves": [
                    {**started(it), "State": it.state} for it in self._enclaves.living(name)
                ],
            }
            for name, state in sorted(states.items())
        ]

    def stop_instance(self, instance_id: str) -> None:
        """End the instance and, with it, its enclaves."""
        with self._turn(instance_id):
            self._end(instance_id)

    def _turn(self, instance_id: str) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(instance_id, threading.Lock())

    def _end(self, instance_id: str) -> None:
        with self._lock:
            parent = self._parents.pop(instance_id, None)
        for enclave in self._enclaves.living(instance_id):
            enclave.terminate()
        if parent is not None:
            parent.stop()

    # -- enclaves ---------------------------------------------------------------------------------

    def run_enclave(self, **fields: Any) -> dict[str, Any]:
        """Copy, check and measure the image of a `LaunchRequest`; returns when it runs."""
        request = LaunchRequest.from_json(fields)
        return self._tokens.once(request, lambda: self._launch(request))

    def _launch(self, request: LaunchRequest) -> dict[str, Any]:
        parent = self._parent(request.instance_id)
        if not parent.record.enclaves_enabled:
            raise failure(
                "E19",
                "File: '/dev/nitro_enclaves', failing operation: 'Open'.",
                expected="an instance with EnclaveOptions={Enabled: true}",
                next="RunInstances with EnclaveOptions; it cannot be changed later",
            )
        instance_id = parent.record.instance_id
        image, size = sealed_copy(Path(request.eif_path))
        try:
            enclave = self._enclaves.start(
                request, instance_id, image, size, lambda: self._parents.get(instance_id) is parent
            )
        except BaseException:
            os.close(image)
            raise
        issuer = self._issuers[instance_id]
        measuring = self._measuring.submit(measure_image, image, datetime.now(UTC))
        enclave.launch(
            measuring,
            lambda measured: _registers(measured, parent.record, debug=request.debug_mode),
            lambda **claims: self._issue(issuer, claims),
            parent.vsock,
        )
        return started(enclave)

    def describe_enclaves(self, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Return nitro-cli's objects for the running enclaves."""
        running = [it for it in self._enclaves.living() if it.state in ("RUNNING", "TERMINATING")]
        return [described(it, metadata=metadata) for it in running]

    def terminate_enclave(
        self, enclave_id: str | None = None, enclave_name: str | None = None
    ) -> dict[str, Any]:
        """End one enclave."""
        enclave = self._enclaves.find(enclave_id, enclave_name, ended=False)
        enclave.terminate()
        plan = enclave.plan
        return {
            "EnclaveName": plan.name,
            "EnclaveID": plan.enclave_id,
            "Terminated": enclave.ended.is_set(),
        }

    def console(
        self, enclave_id: str | None = None, enclave_name: str | None = None, offset: int = 0
    ) -> dict[str, Any]:
        """Return a debug enclave's output."""
        enclave = self._enclaves.find(enclave_id, enclave_name, ended=True)
        if not enclave.plan.debug:
            raise failure(
                "E44",
                "The enclave was not started with the debug flag set, so it cannot be connected to",
                expected="an enclave started with --debug-mode",
                next="run it with --debug-mode: its PCR0, PCR1 and PCR2 are then zero",
            )
        ended = enclave not in self._enclaves.living()
        text, after = enclave.console.read(offset)
        return {"text": text, "offset": after, "ended": ended}

    # -- the process ------------------------------------------------------------------------------

    def attestation_root(self) -> str:
        """Return the root certificate, DER in base64."""
        return base64.b64encode(self._pki.root_der).decode()

    def ping(self) -> dict[str, Any]:
        """Return the pid, the instances, the machine, the boundary, and what holds the limits."""
        return {
            "pid": os.getpid(),
            "instances": sorted(self._parents),
            "sandboxed": not self._unsafe,
            "machine": self._machine.name,
            "runs": self._machine.describe(),
            "limits": UNSAFE_LIMITS if self._unsafe else limits_in_force(),
        }

    def close(self) -> None:
        """End all enclaves and instances."""
        for instance_id in list(self._parents):
            self._end(instance_id)
        for enclave in self._enclaves.living():
            enclave.terminate()
        self._measuring.shutdown(wait=False, cancel_futures=True)

    def _parent(self, instance_id: str | None) -> ParentInstance:
        with self._lock:
            if instance_id is None and len(self._parents) == 1:
                return next(iter(self._parents.values()))
            parent = self._parents.get(instance_id or "")
        if parent is None:
            raise HostError(
                "the instance does not run"
                if instance_id
                else f"{len(self._parents)} instances run",
                expected="a running instance, by its id if there are several",
                where="hypervisor",
                next="run step P8: it boots the instance",
                code="E39",
            )
        return parent

    def _issue(self, issuer: InstanceIssuer, fields: Mapping[str, Any]) -> bytes:
        with self._signing:  # a new leaf is made by one thread
            return issuer.issue(**fields)


def _registers(
    measured: MeasuredImage, record: InstanceRecord, *, debug: bool
) -> Mapping[int, bytes]:
    return launch_registers(
        measured, instance_id=record.instance_id, role_arn=record.role_arn, debug=debug
    )


def _state(parent: ParentInstance) -> str:
    return "running" if parent.healthy else "impaired"


def _write_root(path: Path, der: bytes) -> None:
    """Write the root certificate as PEM, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, ssl.DER_cert_to_PEM_cert(der).encode("ascii"), failure=HostError)
