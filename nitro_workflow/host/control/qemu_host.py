"""The hypervisor's client where enclaves are machines of QEMU's: images for it must boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.host.control.enclave_machines import checked_machine
from nitro_workflow.host.control.sandbox_host import SandboxHost

if TYPE_CHECKING:
    from pathlib import Path

    from nitro_workflow.image import BootParts

__all__ = ["QemuHost", "local_host"]


class QemuHost(SandboxHost):
    """Boots images in QEMU; all else is as in `SandboxHost`.

    >>> QemuHost("/run/lab").channel("i-0").path.name
    'control.sock'
    """

    def boot_parts(self) -> BootParts:
        """Return ``NITRO_CLI_BLOBS``'s parts, else those that `install-qemu` made.

        Raises `HostError` where neither is there, `ImageError` for a folder that lacks one.
        """
        from nitro_workflow.host.qemu import installed_blobs
        from nitro_workflow.image import BootParts

        return BootParts.from_blobs(installed_blobs())


def local_host(machine: str, runtime: Path) -> SandboxHost:
    """Return the client of this machine's hypervisor whose enclaves are of that kind."""
    kinds = {"sandbox": SandboxHost, "qemu": QemuHost}
    return kinds[checked_machine(machine)](runtime)
