"""What the notebooks call: one lesson a notebook, one short call a cell.

>>> from nitro_workflow.lessons import open_lesson
>>> lesson = open_lesson("01")                            # doctest: +SKIP
>>> lesson.run("P1")                                      # doctest: +SKIP
"""

from nitro_workflow.lessons.lesson import LESSONS, Lesson, open_lesson

__all__ = ["LESSONS", "Lesson", "open_lesson"]
