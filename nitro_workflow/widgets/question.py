"""A question to answer before the cell that decides it: predict, then run.

What is shown without a kernel is the question alone, with empty circles, whatever was answered:
a notebook that is committed or handed on tells no answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.inspectors.question_model import QuestionModel
from nitro_workflow.widgets.view import View

__all__ = ["Question"]


@dataclass(frozen=True)
class Question:
    """A question with its options; none of them: the answer is one line of free text.

    ``keep`` takes an answer given in the live form, and returns what is said to it. ``answer`` is
    what was answered before, ``said`` stands below it; a ``closed`` question takes no other answer.
    """

    text: str
    options: Sequence[str] = ()
    keep: Callable[[str], str] = lambda _: ""
    answer: str = ""
    said: str = ""
    closed: bool = False

    @functools.cached_property
    def view(self) -> View:
        """Return what a notebook shows: radio buttons or a line to write."""
        head = Head("Predict, then run", self.text, "neutral")
        model = QuestionModel(head, tuple(self.options), self.answer, self.said, self.closed)
        return View(model, answers={"keep": self._kept})

    def _kept(self, values: Mapping[str, Any]) -> str:
        return self.keep(str(values["answer"]))

    def __repr__(self) -> str:
        return self.view.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.view._repr_mimebundle_()[0]
