"""AWS's side of a stand-in, as a process: the hypervisor with instances that start as EC2's do.

``python -m tests.aws.stand_in_hypervisor`` takes `host.control.hypervisor`'s arguments. What is
another here: an instance runs its user data and an SSM agent (`PlayedInstance`), and a thread does
what EC2 and SSM do between a call and its effect (`AwsSide`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from nitro_workflow.host.control import hypervisor, machine
from tests.aws.played_aws import AwsSide
from tests.aws.played_instance import PlayedInstance, lab_of


class StandInHypervisor(machine.Hypervisor):
    """The hypervisor, with AWS's side of EC2 and SSM beside it."""

    def __init__(self, lab: Path, runtime: Path, *given: Any, **named: Any) -> None:
        super().__init__(lab, runtime, *given, **named)
        lab_of.update(path=lab, hypervisor=self)
        self._aws = AwsSide(lab, runtime, self)
        self._aws.start()

    def close(self) -> None:
        self._aws.close()
        super().close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the process until SIGTERM; return its exit status."""
    with (
        mock.patch.object(machine, "ParentInstance", PlayedInstance),
        mock.patch.object(hypervisor, "Hypervisor", StandInHypervisor),
    ):
        return hypervisor.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
