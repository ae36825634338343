"""The practice key of lesson 11, opened with its progress shown."""

from __future__ import annotations

from nitro_workflow import lab as workflow
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.progress_board import told_below_the_cell

__all__ = ["open_practice_key"]


@in_a_lesson
def open_practice_key(lab: workflow.Lab) -> workflow.PracticeKey:
    """Return a new practice key of a lab; raises what a step raises."""
    with told_below_the_cell(lab):
        return workflow.open_practice_key(lab)
