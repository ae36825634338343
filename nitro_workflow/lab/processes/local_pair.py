"""A cloud and a host that belong together: what a lab is opened with.

`LocalPair` is the only one so far: the local cloud and the sandbox, as this lab's processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nitro_workflow.cloud import LocalCloud
from nitro_workflow.lab.processes.background import Processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.cloud import Cloud
    from nitro_workflow.host import Host
    from nitro_workflow.lab.lab_folder import LabFolder

__all__ = ["LocalPair", "Pair"]


class Pair(Protocol):
    """A cloud and a host that believe each other: AWS accepts no document of a lab's hypervisor."""

    @property
    def cloud(self) -> Cloud:
        """Return the cloud."""

    @property
    def host(self) -> Host:
        """Return what runs enclaves."""

    def up(self) -> None:
        """Have both answer; raises `ServiceError`."""

    def down(self, *, new_port: bool = False) -> list[str]:
        """End what `up` started; returns the names of what ran."""

    def status(self) -> dict[str, str]:
        """Return name → state of what `up` starts; changes nothing."""


class LocalPair:
    """The local cloud with the sandbox, run as background processes of the lab's folder."""

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        from nitro_workflow.host import SandboxHost

        self.processes = Processes(folder, say)
        self.cloud: Cloud = LocalCloud(
            folder.path, endpoint=self.processes.endpoint, start=self.processes.up
        )
        self.host: Host = SandboxHost(self.processes.runtime)

    def up(self) -> None:
        """Start what is not running, adopt what is."""
        self.processes.up()

    def down(self, *, new_port: bool = False) -> list[str]:
        """Stop them, the hypervisor with its enclaves first."""
        return self.processes.down(new_port=new_port)

    def status(self) -> dict[str, str]:
        """Return ``running (pid n)`` or ``stopped`` for each process."""
        return self.processes.status()
