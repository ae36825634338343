"""What runs an enclave: a machine of one of two kinds, behind what the hypervisor needs of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

from nitro_workflow.errors import UsageError
from nitro_workflow.host.sandbox.enclave_process import EnclaveProcess
from nitro_workflow.host.sandbox.supervision import supervision_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from nitro_workflow.host.sandbox.enclave_console import Console
    from nitro_workflow.host.sandbox.enclave_process import Plan
    from nitro_workflow.host.sandbox.launch_measurement import MeasuredImage

__all__ = [
    "MACHINES",
    "Enclave",
    "EnclaveMachine",
    "SandboxMachine",
    "checked_machine",
    "machine_of",
]

MACHINES: Final = ("sandbox", "qemu")


class Enclave(Protocol):
    """One enclave from launch to end; ``state`` is EMPTY, RUNNING, TERMINATING or TERMINATED."""

    plan: Plan
    state: str
    measured: MeasuredImage | None
    exit_status: int | None
    ended: threading.Event
    console: Console

    @property
    def pid(self) -> int:
        """The process that `terminate` ends, as this machine sees it."""

    def launch(
        self,
        measuring: Future[MeasuredImage],
        registers: Callable[[MeasuredImage], Mapping[int, bytes]],
        issue: Callable[..., bytes],
        host_folder: int,
    ) -> None:
        """Boot while ``measuring`` runs; nothing of the customer's runs before it has succeeded.

        ``host_folder``: the parent's vsock folder. Raises `HostError` (E35, E36, E59); then nothing
        of it is left.
        """

    def terminate(self) -> None:
        """End it; returns when every process of it is gone."""


class EnclaveMachine(Protocol):
    """One kind of machine."""

    @property
    def name(self) -> str:
        """The kind, one of `MACHINES`."""

    def start(self, plan: Plan, on_end: Callable[[Enclave], None]) -> Enclave:
        """Return a new enclave, not launched; ``on_end`` is called once when it is gone."""

    def describe(self) -> str:
        """Return in words what of an image is executed, and by what."""


class SandboxMachine:
    """A sandbox of this machine: plays kernel and ramdisk 0, executes what ramdisk 1 holds."""

    name = "sandbox"

    def __init__(self) -> None:
        # The first launch would wait for it: half a second, once.
        threading.Thread(target=supervision_problem, daemon=True, name="supervision").start()

    def start(self, plan: Plan, on_end: Callable[[Enclave], None]) -> Enclave:
        """Return a new enclave, not launched."""
        supervised = plan.unsafe_folder is None and supervision_problem() is None
        return EnclaveProcess(plan, on_end, supervised=supervised)

    def describe(self) -> str:
        """Return what of an image is executed."""
        played = "ramdisk 1; kernel and ramdisk 0 are measured too, and played by the sandbox"
        problem = supervision_problem()
        return f"{played}; only the lab's own application: {problem}" if problem else played


def checked_machine(name: str) -> str:
    """Return ``name`` where it is a kind of machine; raises `UsageError`."""
    if name not in MACHINES:
        raise UsageError(
            f"host {name!r}", expected=" or ".join(MACHINES), next="name one of these with --host"
        )
    return name


def machine_of(name: str) -> EnclaveMachine:
    """Return the machine of that name; raises `UsageError`, or `HostError` where it is missing."""
    if checked_machine(name) == "sandbox":
        return SandboxMachine()
    from nitro_workflow.host.qemu.qemu_machine import QemuMachine

    return QemuMachine()
