"""A question to answer before the cell that decides it: predict, then run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["Question"]

_LIVE = "application/vnd.jupyter.widget-view+json"


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
    def widget(self) -> Any:
        """Return the live form: radio buttons, and the reason once one is chosen."""
        import ipywidgets

        buttons = ipywidgets.RadioButtons(
            options=list(self.options), value=None, layout=ipywidgets.Layout(width="auto")
        )
        said = ipywidgets.HTML()

        def show(change: Any) -> None:
            said.value = f"<p aria-live='polite'>{escape(self.answer(change.new))}</p>"

        buttons.observe(show, names="index")
        return ipywidgets.VBox([ipywidgets.HTML(f"<b>{escape(self.text)}</b>"), buttons, said])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        options = "".join(f"<li>{escape(option)}</li>" for option in self.options)
        answer = f"{self.options[self.right]}. {self.why}"
        html = (
            f"<section><p><b>{escape(self.text)}</b></p><ul>{options}</ul>"
            f"<details><summary>Answer</summary>{escape(answer)}</details></section>"
        )
        live = self.widget._repr_mimebundle_()
        return {"text/plain": repr(self), "text/html": html, _LIVE: live[_LIVE]}
