"""A question to answer before the cell that decides it: predict, then run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nitro_workflow.widgets.live_view import live_inspector, marked
from nitro_workflow.widgets.view_model import Choice

__all__ = ["Question"]


@dataclass(frozen=True)
class Question:
    """A question with its options; ``right`` is the index of the right one, ``why`` its reason."""

    text: str
    options: Sequence[str]
    right: int
    why: str

    def answer(self, chosen: int) -> str:
        """Return what is said to the option chosen."""
        verdict = "✓ Yes" if chosen == self.right else "✗ Not quite"
        return f"{verdict}: {self.why}"

    def __repr__(self) -> str:
        options = "\n".join(f"  ( ) {option}" for option in self.options)
        return f"{self.text}\n{options}"

    @functools.cached_property
    def widget(self) -> Any | None:
        """Return the live form: radio buttons, and the reason once one is chosen."""
        said = tuple(map(self.answer, range(len(self.options))))
        return live_inspector(Choice(self.text, tuple(self.options), said))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        options = "".join(f"<li>{escape(option)}</li>" for option in self.options)
        answer = f"{self.options[self.right]}. {self.why}"
        html = (
            f"<section><p><b>{escape(self.text)}</b></p><ul>{options}</ul>"
            f"<details><summary>Answer</summary>{escape(answer)}</details></section>"
        )
        return {"text/plain": repr(self), "text/html": marked(html, self.widget)}
