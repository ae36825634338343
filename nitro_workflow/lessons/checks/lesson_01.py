"""Lesson 01: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 01."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "owner-and-data-key": Truth(
            "no: the policy does not say GenerateDataKey",
            "owning the account means little in KMS: the key policy is the first word",
        ),
    }
