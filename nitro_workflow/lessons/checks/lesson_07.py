"""Lesson 07: what is true of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.truth import Truth

__all__ = ["Checks"]


class Checks(LessonChecks):
    """Checks of lesson 07."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "root-and-memory": Truth(
            "no: the enclave's processes are not in its namespace",
            "on AWS the enclave is another virtual machine; here it is out of the parent's sight",
        ),
    }
