"""Lesson 03: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 03."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "whose-consent": Truth(
            "both", "across accounts the bucket policy and the caller's own policy must both allow"
        ),
    }
