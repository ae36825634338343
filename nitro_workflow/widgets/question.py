"""A question to answer before the cell that decides it: predict, then run.

What is shown without a kernel is the question alone, with empty circles, whatever was answered:
a notebook that is committed or handed on tells no answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nitro_workflow.widgets.live_view import live_choice, marked
from nitro_workflow.widgets.view_model import Choice

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

    def __repr__(self) -> str:
        return "\n".join([self.text, *(f"  ○ {option}" for option in self.options or ("…",))])

    @functools.cached_property
    def widget(self) -> Any | None:
        """Return the live form: radio buttons or a line to write; None without Jupyter."""
        shown = Choice(self.text, tuple(self.options), self.answer, closed=self.closed)
        return live_choice(shown, self.said, self.keep)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        circles = "".join(f"<br>○ {escape(option)}" for option in self.options or ("…",))
        html = (
            f'<section aria-label="Question"><p><b>{escape(self.text)}</b>{circles}</p></section>'
        )
        return {"text/plain": repr(self), "text/html": marked(html, self.widget)}
