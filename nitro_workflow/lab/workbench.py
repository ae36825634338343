"""What steps, evidence and attacks work with: folder, cloud, host, parties, and who listens.

A step knows its workbench and no more: not the engine that runs it, nor which cloud and host it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import LabError
from nitro_workflow.lab.parties import Parties
from nitro_workflow.lab.step_result import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from enclave_image.applications import Application
    from nitro_workflow.cloud import Cloud
    from nitro_workflow.host import Host
    from nitro_workflow.lab.call_record import CallRecorder
    from nitro_workflow.lab.lab_folder import LabFolder
    from nitro_workflow.lab.pair import Pair
    from nitro_workflow.lab.party_policies import PartyPolicies

__all__ = ["DEFAULT_SIZE", "ENCLAVE_CPUS", "Workbench"]

DEFAULT_SIZE: Final = 16 * 1024 * 1024
"""Bytes of the generated data set, unless ``--size`` says otherwise."""
DEFAULT_SEED: Final = 2024

ENCLAVE_CPUS: Final = 2
"""Of the walk's enclave: whole cores, on the parents that the plan chooses from."""


@dataclass(slots=True)
class Workbench:
    """One lab's folder with the pair of cloud and host that it was opened with.

    ``say`` tells the person at the keyboard what is going on. ``memory`` holds what must never be
    on disk: the plaintext data key of P2, the private key for results.
    """

    folder: LabFolder
    pair: Pair
    say: Callable[[str], None]
    memory: dict[str, Any] = field(default_factory=dict, repr=False)
    parties: Parties = field(init=False)

    def __post_init__(self) -> None:
        self.parties = Parties(self.cloud, self.folder.path / "cloud" / "roles-made")
        self.pair.meet(self.parties)

    @property
    def policies(self) -> PartyPolicies:
        """Return the texts of the parties' policies."""
        return self.parties.policies

    @property
    def calls(self) -> CallRecorder:
        """Return what takes the calls of the step that is running."""
        return self.parties.calls

    @property
    def cloud(self) -> Cloud:
        """Return the cloud."""
        return self.pair.cloud

    @property
    def host(self) -> Host:
        """Return what runs enclaves."""
        return self.pair.host

    @property
    def path(self) -> Path:
        """Return the lab's folder."""
        return self.folder.path

    @property
    def application(self) -> Application:
        """Return the application that walks; raises `InputError` where its folder is none."""
        from enclave_image.applications import application_of

        return application_of(self.folder.settings().get("app"))

    @property
    def enclave_mib(self) -> int:
        """Return what its enclave is launched with, in MiB: on AWS images have a real kernel."""
        from nitro_workflow.host import LEAST_ON_AWS_MIB

        least = LEAST_ON_AWS_MIB if self.cloud.public else 0
        return max(self.application.memory_mib, least)

    @property
    def own_records(self) -> Path | None:
        """Return the owner's own file, where the walk was given one."""
        own = self.folder.settings().get("csv")
        return Path(own) if own else None

    @property
    def size(self) -> int:
        """Return the size of the data set, in bytes."""
        return int(self.folder.settings().get("size", DEFAULT_SIZE))

    @property
    def seed(self) -> int:
        """Return the seed of the data set: the same seed gives the same customers."""
        return int(self.folder.settings().get("seed", DEFAULT_SEED))

    def result(self, number: str) -> StepResult | None:
        """Return the record of the step's last good run, whatever process ran it."""
        record = self.folder.record(number)
        try:
            return None if record is None else StepResult.from_record(record)
        except (KeyError, TypeError, ValueError):
            return None  # written by another version, or by hand: the step can be run again

    def produced(self, number: str, name: str) -> Any:
        """Return one thing that an earlier step produced; raises `LabError` when it has not."""
        result = self.result(number)
        if result is None or name not in result.produced:
            raise LabError(
                f"{number} has left no {name}",
                expected=f"the record of step {number}",
                where=f"steps/{number}.json",
                next=f"run step {number}",
            )
        return result.produced[name]
