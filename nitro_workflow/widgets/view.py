"""A model, drawn in three ways: text, HTML without script, and the live inspector.

An output holds the static forms, so that GitHub, nbconvert and a notebook without its kernel show
everything; the live form takes the HTML's place where a kernel and a browser are there to run it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.widgets.html import render_html
from nitro_workflow.widgets.live_view import live_inspector, mark
from nitro_workflow.widgets.text import render_text
from nitro_workflow.widgets.view_model import DecisionModel, Model, to_json, visible

__all__ = ["View"]

# Answers a question of the reader ("and if PCR0 were …?") with the decision that would follow.
WhatIf = Callable[[Mapping[str, str]], DecisionModel]


class View:
    """What a notebook shows of a model.

    ``what_if`` makes a decision's condition values editable; it is called with the edited values.
    """

    def __init__(self, model: Model, *, what_if: WhatIf | None = None) -> None:
        self.model = visible(model)
        self._what_if = what_if

    def __repr__(self) -> str:
        return render_text(self.model)

    @functools.cached_property
    def widget(self) -> Any | None:
        """Return the live inspector, made on first use; None where Jupyter is not installed."""
        widget = live_inspector(self.model)
        if widget is not None and self._what_if is not None:
            widget.observe(self._answer, names="edits")
        return widget

    def _answer(self, change: Any) -> None:
        if self._what_if is not None:
            change.owner.model = to_json(visible(self._what_if(dict(change.new))))

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        html = mark(render_html(self.model), self.widget)
        return {"text/plain": render_text(self.model), "text/html": html}, {}
