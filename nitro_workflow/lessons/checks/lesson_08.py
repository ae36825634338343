"""Lesson 08: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 08."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "replay": Truth(
            "an answer that it cannot open",
            "KMS keeps no list of used documents, and the answer is sealed to the enclave's "
            "public key",
        ),
    }
