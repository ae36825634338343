"""What a step hands back, and the record of one run of it: numbers, names, digests, never words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Outcome", "StepProgress", "StepResult"]


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
class StepProgress:
    """What is heard of a step while it runs: ``state`` is ``running``, ``done`` or ``failed``."""

    step: str
    state: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """One run of one step, as `nitro-workflow walk --json` prints it.

    ``status`` is ``done`` or ``failed``; ``caught_up`` lists the steps that were run first.
    ``calls`` are records of `CallRecord`: what the step asked of others, secrets cut.
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
    calls: tuple[Mapping[str, Any], ...] = ()

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
            "calls": [dict(call) for call in self.calls],
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
            calls=tuple(dict(call) for call in record.get("calls", ())),
        )
