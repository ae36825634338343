"""Lesson 06: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 06."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "second-door": Truth(
            "nobody: the Deny still applies",
            "an explicit Deny wins over every Allow, until somebody who may call PutKeyPolicy "
            "takes it out",
        ),
    }
