"""A question to answer before the cell that decides it: predict, then run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing import Head

__all__ = ["QuestionModel"]


@dataclass(frozen=True, slots=True)
class QuestionModel:
    """The head asks; without ``options`` the answer is one line of free text.

    ``answer`` is what was answered before, ``said`` stands below it; a ``closed`` question takes no
    other answer. Static forms show neither: a notebook that is handed on tells no answer.
    """

    head: Head
    options: tuple[str, ...] = ()
    answer: str = ""
    said: str = ""
    closed: bool = False
    kind: Literal["question"] = "question"
