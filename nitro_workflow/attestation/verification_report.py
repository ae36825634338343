"""What a verification found: one outcome a step, and the record of one that held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from nitro_workflow.attestation.document import AttestationDocument
from nitro_workflow.attestation.parse import Reading

__all__ = ["Report", "StepOutcome", "TimeSource", "Verdict", "VerifiedAttestation"]

Status = Literal["passed", "failed", "skipped"]
Verdict = Literal["valid", "refused"]
TimeSource = Literal["given", "document"]


class StepOutcome(NamedTuple):
    """One check: what it found, what it wanted and where; ``detail`` has what else it found.

    ``next`` says what to do, where the check failed.
    """

    id: str
    title: str
    clause: str
    status: Status
    found: str = ""
    expected: str = ""
    where: str = ""
    detail: tuple[str, ...] = ()
    next: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Every check's outcome, in order.

    ``verdict`` is about authenticity, ``shape`` to ``signature``; ``failed`` has the ids of all
    checks that failed, the caller's expectations included: `accepted` wants none.
    """

    reading: Reading
    steps: tuple[StepOutcome, ...]
    verdict: Verdict
    failed: tuple[str, ...]
    checked_at: datetime | None
    time_source: TimeSource
    root_fingerprint: str

    @property
    def accepted(self) -> bool:
        """Whether `Verifier.verify` would have returned: authentic, and as expected."""
        return not self.failed

    def step(self, step_id: str) -> StepOutcome:
        """Return one step's outcome by its id. Raises `KeyError` for an id that is not a step."""
        return {step.id: step for step in self.steps}[step_id]

    def to_json(self) -> dict[str, object]:
        """Return what a program reads: see `nitro-workflow attestation explain --json`."""
        reading = self.reading
        return {
            "verdict": self.verdict,
            "failed": list(self.failed),
            "kind": reading.kind,
            "mode": reading.mode,
            "module_id": reading.values.get("module_id"),
            "timestamp_ms": reading.values.get("timestamp_ms"),
            "pcrs": {str(index): value.hex() for index, value in reading.pcrs.items()},
            "checked_at": self.checked_at.isoformat() if self.checked_at else None,
            "time_source": self.time_source,
            "root_sha256": self.root_fingerprint,
        }


@dataclass(frozen=True, slots=True)
class VerifiedAttestation:
    """A document that held, under which root, at what time, and which expectation it met.

    Made by `Verifier` only. ``matched`` is the label of the PCR expectation, None where there was
    none. ``debug`` says that an enclave ran in debug mode: only the methods that say so in their
    name return such a record.
    """

    document: AttestationDocument
    root_fingerprint: str
    checked_at: datetime
    time_source: TimeSource
    matched: str | None
    debug: bool
    steps: tuple[StepOutcome, ...]
