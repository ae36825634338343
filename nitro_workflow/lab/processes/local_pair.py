"""The local cloud with a hypervisor of this machine, as this lab's processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import LocalCloud
from nitro_workflow.host import checked_machine, local_host
from nitro_workflow.lab.processes.background import Processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.cloud import Cloud
    from nitro_workflow.host import Host
    from nitro_workflow.lab.lab_folder import LabFolder
    from nitro_workflow.lab.parties import Parties

__all__ = ["HOST_SETTING", "LocalPair", "choose_host"]

HOST_SETTING: Final = "NITRO_WORKFLOW_HOST"
"""``sandbox`` or ``qemu``: of the labs that this environment opens, notebooks too."""


def choose_host(folder: LabFolder, host: str = "") -> None:
    """Keep in the lab what runs its enclaves, where that is said: ``host``, else the environment.

    Raises `UsageError` for what is no host.
    """
    if chosen := host or os.environ.get(HOST_SETTING, ""):
        folder.change_settings(host=checked_machine(chosen))


class LocalPair:
    """The local cloud with the sandbox or QEMU, run as background processes of the lab's folder."""

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        self.processes = Processes(folder, say)
        self.cloud: Cloud = LocalCloud(
            folder.path, endpoint=self.processes.endpoint, start=self.processes.up
        )

    @property
    def host(self) -> Host:
        """Return the host, where its sockets are now: another terminal may have moved them."""
        return local_host(self.processes.machine, self.processes.runtime)

    def meet(self, parties: Parties) -> None:
        """Take none: a hypervisor of this machine needs no session."""

    def up(self) -> None:
        """Start what is not running, adopt what is."""
        self.processes.up()

    def down(self, *, new_port: bool = False) -> list[str]:
        """Stop them, the hypervisor with its enclaves first."""
        return self.processes.down(new_port=new_port)

    def status(self) -> dict[str, str]:
        """Return ``running (pid n)`` or ``stopped`` for each process."""
        return self.processes.status()
