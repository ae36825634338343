"""A job in the enclave, as the lab sees it: started by D2, its evidence gathered by D3 to D9.

What the parent answers is kept in the lab folder when a job has ended, so that a later kernel, or
one after the instance is gone, still shows it. The parent is not trusted with it: see `decryption`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import recorded_error
from nitro_workflow.errors import EnclaveError, HostError, LabError
from nitro_workflow.lab.evidence.parent_client import ParentClient, wait_for
from nitro_workflow.lab.lab_folder import read_json, save

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.errors import NitroWorkflowError
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["DEADLINE_SECONDS", "Job", "parent_of"]

DEADLINE_SECONDS: Final = 60.0
"""For the first evidence of a small job; larger data get more: see `Job.deadline`."""
SLOWEST: Final = 4 * 1024 * 1024  # bytes a second, decrypting and counting on a loaded machine

ENDED: Final = ("done", "refused", "failed")


def parent_of(bench: Workbench, instance: str = "") -> ParentClient:
    """Return the parent application of the launched instance."""
    channel = bench.host.channel(instance or bench.produced("P8", "instance_id"))
    return ParentClient(channel, bench.calls)


@dataclass(frozen=True, slots=True)
class Job:
    """One ciphertext handed to the enclave. ``nonce``: hex, the owner's, for the receipt."""

    bench: Workbench
    id: str
    form: str
    nonce: str
    size: int
    instance: str = ""

    @property
    def deadline(self) -> float:
        """Return how long to wait for this job, in seconds."""
        return DEADLINE_SECONDS + self.size / SLOWEST

    def state(self) -> Mapping[str, Any]:
        """Return what is known now: ``status``, ``evidence``, then ``result`` or ``error``.

        ``arrived``: when the end of it came here (ISO 8601), by which a receipt's age is judged.
        """
        kept = self.bench.path / "jobs" / f"{self.id}.json"
        if kept.exists():
            return read_json(kept)
        state = self._ask()
        if state.get("status") in ENDED:
            state = {**state, "arrived": datetime.now(UTC).isoformat()}
            save(kept, json.dumps(state).encode())
        return state

    def _ask(self) -> Mapping[str, Any]:
        try:
            return parent_of(self.bench, self.instance).ask(op="job", job=self.id)
        except HostError as error:
            raise LabError(
                f"the instance that had job {self.id} does not answer",
                expected="a job of the running instance",
                where=self.form,
                next="run step D2 again: it hands the data to the enclave again",
            ) from error

    def evidence(self, step: str) -> dict[str, Any]:
        """Wait for a step's evidence. Raises the recorded refusal when the job ended before it."""

        def ready(state: Mapping[str, Any]) -> bool:
            return step in state.get("evidence", {}) or state.get("status") in ENDED

        state = wait_for(
            self.state, ready, seconds=self.deadline, what=f"{step} of the {self.form} job"
        )
        found = state.get("evidence", {}).get(step)
        if found is not None and not self._failed_at(state, step):
            return dict(found)
        raise self.failure(state, step)

    def ended(self) -> Mapping[str, Any]:
        """Wait for the job's end, good or bad; returns its state."""
        return wait_for(
            self.state,
            lambda state: state.get("status") in ENDED,
            seconds=self.deadline,
            what=f"the end of the {self.form} job",
        )

    @staticmethod
    def _failed_at(state: Mapping[str, Any], step: str) -> bool:
        return state.get("status") in ("refused", "failed") and state.get("step") == step

    def failure(self, state: Mapping[str, Any], step: str) -> NitroWorkflowError:
        """Return what ended the job, as the process that ended it recorded it."""
        if state.get("error"):
            return recorded_error(state["error"], state.get("step") or step)
        return EnclaveError(
            f"the {self.form} job is {state.get('status')} and has no evidence of {step}",
            expected=f"evidence of {step}",
            where=step,
            next="run step D2 again",
        )
