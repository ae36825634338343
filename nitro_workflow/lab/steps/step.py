"""What a step is: one row of the table, which records and faces share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.workbench import Workbench

__all__ = ["Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table.

    ``needs`` are the steps that must be done before. ``holds`` tells whether an old record is still
    true (the enclave still runs, the file is still there); where that costs a call, its answer
    counts for ``holds_for`` seconds. ``memory``: what the step takes from this process's memory →
    the step that makes it again where a later kernel does not have it.
    ``evidence`` are the key facts: paths into the evidence, ``name/name``, or ``label=path``;
    ``more`` those that only some applications have.
    """

    number: str
    party: str
    title: str
    function: Callable[[Workbench], Outcome]
    needs: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    holds: Callable[[Workbench, Mapping[str, Any]], bool] | None = None
    holds_for: float = 0.0
    memory: Mapping[str, str] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """Return the heading of the workflow's text under which the step stands."""
        preparation = self.number.startswith("P")
        return (
            "Data and environment preparation" if preparation else "Attestation and data decryption"
        )
