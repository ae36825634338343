"""The parent's records of jobs: in memory, and each in a file that is replaced as a whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import EnclaveError, FrameError, NitroWorkflowError

__all__ = ["JobRecords"]


class JobRecords:
    """Job states: in memory, and each in a file that is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._states: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.json")):
            self._load(path)

    def _load(self, path: Path) -> None:
        try:
            state = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return  # half a file of a killed process: the job is unknown, and can be sent again
        if state.get("status") in ("queued", "running"):
            error = EnclaveError(
                "the parent application was restarted during the job",
                expected="a job that ends",
                where="D2",
                next="run step D2 again",
            )
            state |= {"status": "failed", "step": "D2", "error": error.to_json()}
        self._states[path.stem] = state

    def create(self, job: str) -> None:
        """Begin a record.

        Raises `FrameError` for an id that was used before, `ServiceError` where it cannot be
        written: then there is none.
        """
        with self._lock:
            known = job in self._states
            if not known:
                self._states[job] = {"status": "queued", "step": "D2", "evidence": {}, "trace": []}
        if known:
            raise _refuse("a job id that was used before", "a new UUID")
        try:
            self.update(job)
        except NitroWorkflowError:
            with self._lock:
                del self._states[job]  # nobody will do it: it can be sent again
            raise

    def update(self, job: str, **changes: Any) -> None:
        """Change fields of a record; raises `ServiceError` where only memory has them."""
        with self._lock:
            state = self._states[job] = {**self._states[job], **changes}
            write_atomic(self._folder / f"{job}.json", json.dumps(state).encode())

    def get(self, job: str) -> dict[str, Any]:
        """Return a record. Raises `FrameError` for an unknown id."""
        with self._lock:
            state = self._states.get(job)
        if state is None:
            raise _refuse("a job that is not known here", "the id of a job that was sent")
        return dict(state)

    def add(self, job: str, step: str, evidence: Mapping[str, Any]) -> None:
        """Add one step's evidence."""
        known = self.get(job)["evidence"]
        self.update(job, step=step, evidence={**known, step: dict(evidence)})


def _refuse(found: str, expected: str) -> FrameError:
    return FrameError(
        found, expected=expected, where="control socket", next="send the job with step D2"
    )
