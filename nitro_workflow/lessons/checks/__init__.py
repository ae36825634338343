"""The checks of each lesson: what a learner made is looked at there, and what is true stands there.

>>> from nitro_workflow.lessons.checks import find_checks
>>> find_checks("06").__name__
'Checks'
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from nitro_workflow.lessons.checking import LessonChecks

__all__ = ["find_checks"]


def find_checks(number: str) -> type[LessonChecks]:
    """Return the class `Checks` of a lesson's module; one without checks where there is none."""
    name = f"{__name__}.lesson_{number}"
    if find_spec(name) is None:
        return LessonChecks
    found: type[LessonChecks] = importlib.import_module(name).Checks
    return found
