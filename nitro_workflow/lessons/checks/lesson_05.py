"""Lesson 05: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 05."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "untrusted-credentials": Truth(
            "a wrong one only makes KMS refuse",
            "what can only lead to a refusal needs no trust; it may come over vsock",
        ),
    }
