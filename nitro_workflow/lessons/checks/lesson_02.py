"""Lesson 02: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 02."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "encrypted-data-key": Truth(
            "into the message's header",
            "the SDK's message is self-contained; only the by-hand form needs a second object",
        ),
    }
