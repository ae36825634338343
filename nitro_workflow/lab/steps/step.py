"""What a step is, and what it leaves: the types that the table, the records and the faces share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nitro_workflow.lab.engine.lab import Lab

__all__ = ["Outcome", "Step", "StepResult"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step's function hands back.

    ``evidence`` is for people and JSON, ``produces`` for later steps: digests, names and lengths,
    never content and never a key. ``evidence["basis"]`` says who observed it.
    """

    evidence: Mapping[str, Any]
    produces: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table.

    ``needs`` are the steps that must stand before; ``holds`` tells whether an old record is still
    true (the enclave still runs, the file is still there); a dear look is believed ``holds_for``
    seconds. ``memory``: what the step takes from
    this process's memory → the step that makes it anew where a later kernel has not got it.
    ``evidence`` are the key facts: paths into the evidence, ``name/name``, or ``label=path``.
    """

    number: str
    party: str
    title: str
    function: Callable[[Lab], Outcome]
    needs: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    holds: Callable[[Lab, Mapping[str, Any]], bool] | None = None
    holds_for: float = 0.0
    memory: Mapping[str, str] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """Return the heading of the workflow's text under which the step stands."""
        preparation = self.number.startswith("P")
        return (
            "Data and environment preparation" if preparation else "Attestation and data decryption"
        )


@dataclass(frozen=True, slots=True)
class StepResult:
    """One run of one step, as `nitro-workflow walk --json` prints it.

    ``status`` is ``done`` or ``failed``; ``caught_up`` lists the steps that were run first.
    """

    step: str
    party: str
    title: str
    status: str
    seconds: float
    evidence: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    caught_up: tuple[str, ...] = ()
    produced: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    at: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return ``{"step", "party", "title", "status", "seconds", "evidence", "error"?}``."""
        record: dict[str, Any] = {
            "step": self.step,
            "party": self.party,
            "title": self.title,
            "status": self.status,
            "seconds": self.seconds,
            "evidence": dict(self.evidence),
        }
        return record if self.error is None else {**record, "error": dict(self.error)}

    def to_record(self) -> dict[str, Any]:
        """Return all fields, as they are kept in the lab folder."""
        return {
            **self.to_json(),
            "notes": list(self.notes),
            "caught_up": list(self.caught_up),
            "produced": dict(self.produced),
            "at": self.at,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> StepResult:
        """Return the result that `to_record` wrote."""
        return cls(
            step=str(record["step"]),
            party=str(record["party"]),
            title=str(record["title"]),
            status=str(record["status"]),
            seconds=float(record["seconds"]),
            evidence=dict(record["evidence"]),
            notes=tuple(record.get("notes", ())),
            caught_up=tuple(record.get("caught_up", ())),
            produced=dict(record.get("produced", {})),
            error=record.get("error"),
            at=str(record.get("at", "")),
        )
