"""Machines of QEMU's, as one kind for the hypervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.errors import HostError
from nitro_workflow.extras import require
from nitro_workflow.host.qemu.kvm_trial import acceleration
from nitro_workflow.host.qemu.qemu_enclave import QemuEnclave
from nitro_workflow.host.qemu.qemu_program import find_qemu, installed_blobs
from nitro_workflow.host.rules.launch_rules import host_architecture

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.sandbox.enclave_process import Plan

__all__ = ["QemuMachine"]


class QemuMachine:
    """QEMU boots all of an image: its kernel, its init, its program.

    Raises `HostError` where QEMU or the boot parts are missing, `MissingExtra` for the library.
    """

    name = "qemu"

    def __init__(self) -> None:
        require("qemu")
        if host_architecture() != "x86_64":
            raise HostError(
                f"a machine of {host_architecture()}",
                expected="x86_64",
                where="host qemu",
                next="use the host sandbox here",
            )
        self._program = find_qemu()
        self._acceleration = acceleration(self._program, installed_blobs() / "bzImage")

    def start(self, plan: Plan, on_end: Callable[[QemuEnclave], None]) -> QemuEnclave:
        """Return a new enclave, not launched."""
        return QemuEnclave(plan, self._program, self._acceleration, on_end)

    def describe(self) -> str:
        """Return what of an image is executed, and by what."""
        return (
            f"all of it, kernel, init and program, in QEMU {self._program.version} "
            f"by {self._acceleration}"
        )
