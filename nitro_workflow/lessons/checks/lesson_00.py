"""Lesson 00: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 00."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "root-and-owner": Truth(
            "no: the owner's trust policy does not name them",
            "roles are taken through STS, and STS asks the role's trust policy",
        ),
    }
