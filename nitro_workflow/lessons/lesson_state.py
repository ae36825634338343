"""In which state a lesson finds the lab, in words: no text of a notebook is to contradict it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nitro_workflow.lab import STEPS, Lab, find_step
from nitro_workflow.lessons.lesson_table import LessonPlan

__all__ = ["state_lines"]


def state_lines(lab: Lab, plan: LessonPlan, caught_up: Sequence[str]) -> Iterator[str]:
    """Say which steps stand before, which the lesson runs, and what is done beyond it."""
    if caught_up:
        yield f"Ran first, because this lesson needs it: {_span(caught_up)}"
    elif plan.needs:
        yield f"Before this lesson: {_span(plan.before)} {_verb(plan.before)} done"
    if not plan.steps:
        yield "Steps here: none"
        return
    done = [step for step in plan.steps if lab.rests(find_step(step))]
    left = [step for step in plan.steps if step not in done]
    if left:
        yield f"Steps here: {_span(left)} {_verb(left)} still to do"
    if done:
        yield f"Steps here: {_span(done)} {_verb(done)} done: {plan.when_done}"
    later = [step.number for step in STEPS if step.number not in (*plan.before, *plan.steps)]
    if beyond := [step for step in later if lab.rests(find_step(step))]:
        yield f"Later steps are done, too ({_span(beyond)}): what they changed is seen here"
        yield "  lesson.reset() goes back to where this lesson begins"


def _verb(steps: Sequence[str]) -> str:
    return "is" if len(steps) == 1 else "are"


def _span(steps: Sequence[str]) -> str:
    """Return steps as a person says them: those that follow each other as a span.

    >>> _span(["P1", "P2", "P3", "D1"])
    'P1–P3, D1'
    """
    order = [step.number for step in STEPS]
    spans: list[list[str]] = []
    for step in steps:
        follows = spans and order.index(step) == order.index(spans[-1][-1]) + 1
        if follows and step[0] == spans[-1][-1][0]:
            spans[-1].append(step)
        else:
            spans.append([step])
    return ", ".join(span[0] if len(span) == 1 else f"{span[0]}–{span[-1]}" for span in spans)
