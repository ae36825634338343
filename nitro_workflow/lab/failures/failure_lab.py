"""The failure lab of one lab: images, enclaves and cases, made at need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lab.failures.client_attempt import CallMaker
from nitro_workflow.lab.failures.failure_case import FailureCase
from nitro_workflow.lab.failures.practice_enclaves import PracticeEnclaves
from nitro_workflow.lab.failures.practice_images import make_images
from nitro_workflow.lab.failures.set_up import Facts
from nitro_workflow.lab.failures.twelve_set_ups import MISSING_DENIALS, SET_UPS
from nitro_workflow.lab.party_policies import PARTIES

if TYPE_CHECKING:
    from nitro_workflow.lab.engine import Lab
    from nitro_workflow.lab.failures.set_up import SetUp

__all__ = ["FailureLab", "open_failure_lab"]


class FailureLab:
    """Makes cases. Their enclaves run until `close`, and are shared."""

    def __init__(self, lab: Lab) -> None:
        bench = self._bench = lab.bench
        self._images = make_images(bench)
        arns = {party: bench.policies.role_arn(party) for party in PARTIES}
        self._facts = Facts(arns, self._images.pcrs)
        self._enclaves = PracticeEnclaves(bench, self._images)
        self._calls = CallMaker(bench, self._enclaves)

    def case(self, name: str, cause: str) -> FailureCase:
        """Return the set-up of a cause, or of a missing denial's letter, under a name."""
        return self.case_of(name, SET_UPS.get(cause) or MISSING_DENIALS[cause])

    def case_of(self, name: str, set_up: SetUp) -> FailureCase:
        """Return a set-up of any other kind, under a name."""
        return FailureCase(
            self._bench,
            name,
            set_up,
            facts=self._facts,
            images=self._images,
            enclaves=self._enclaves,
            calls=self._calls,
        )

    def close(self) -> None:
        """End the enclaves; keys and images stay for the next time."""
        self._enclaves.close()


def open_failure_lab(lab: Lab) -> FailureLab:
    """Return the failure lab of a lab whose step P8 is done, or is run now.

    Raises what a step raises.
    """
    lab.ensure("P8")
    return FailureLab(lab)
