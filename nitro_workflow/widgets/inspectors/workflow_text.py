"""The map of the 17 steps as text: one line a step."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import head_lines, table_lines
from nitro_workflow.widgets.inspectors.workflow_model import STATES, MapStep, WorkflowModel

__all__ = ["MARKS", "draw_text"]

MARKS = {"done": "✓", "stale": "!", "to do": "·", "running": "▶", "failed": "✗"}


def draw_text(model: WorkflowModel) -> Iterator[str]:
    """Yield the head, then each step with its party, its state and what it rests on."""
    yield from head_lines(model.head)
    if model.asks:
        yield f"  ?     {model.asks}"
    yield from table_lines(
        ("", "step", "party", "what happens", "state", "rests on"), map(_line, model.steps)
    )
    for step in model.steps:
        yield from (f"  {step.number}  {name}: {value}" for name, value in step.facts)


def _line(step: MapStep) -> tuple[str, ...]:
    here = "  ◀ this lesson" if step.here else ""
    said = f"{STATES[step.state]}{f', {step.took}' if step.took else ''}{here}"
    said += f": {step.error}" if step.error else ""
    return (
        MARKS[step.state],
        step.number,
        step.party,
        step.title,
        said,
        ", ".join(step.rests_on) or "—",
    )
