"""The key facts of a step's evidence: the few that a terminal or a notebook shows first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nitro_workflow.lab.step_result import StepResult
from nitro_workflow.lab.steps.step_table import find_step

__all__ = ["key_facts"]


def key_facts(result: StepResult) -> Iterator[tuple[str, Any]]:
    """Yield (label, value) for each path of the step's row in the table that has a value.

    A path is ``label=encryption-sdk/decision``, or without a label, which is then its last name.
    On AWS the first says what the evidence rests on.
    """
    if known := _known(result.evidence):
        yield "rests on", known
    step = find_step(result.step)
    for key in (*step.evidence, *step.more):
        label, _, path = key.rpartition("=")
        value = _at(result.evidence, path)
        if value is not None:
            yield label or path.rpartition("/")[2], value


def _known(evidence: Mapping[str, Any]) -> str:
    """Return what the evidence says of itself, or its first form does; "" for observed ones."""
    forms = (one for one in evidence.values() if isinstance(one, Mapping))
    return str(evidence.get("known") or next((one["known"] for one in forms if "known" in one), ""))


def _at(evidence: Mapping[str, Any], path: str) -> Any:
    value: Any = evidence
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
