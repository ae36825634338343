"""A cloud and a host that belong together: what a lab is opened with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nitro_workflow.cloud import Cloud
    from nitro_workflow.host import Host
    from nitro_workflow.lab.parties import Parties

__all__ = ["Pair"]


class Pair(Protocol):
    """A cloud and a host that believe each other: AWS accepts no document of a lab's hypervisor."""

    @property
    def cloud(self) -> Cloud:
        """Return the cloud."""

    @property
    def host(self) -> Host:
        """Return what runs enclaves."""

    def meet(self, parties: Parties) -> None:
        """Take the parties whose sessions the host may need; asks nobody."""

    def up(self) -> None:
        """Have both answer; raises `ServiceError`."""

    def down(self, *, new_port: bool = False) -> list[str]:
        """End what `up` started, and what is left of it; returns the names of what ran."""

    def status(self) -> dict[str, str]:
        """Return name → state of what `up` starts; changes nothing."""
