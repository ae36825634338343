"""A model, drawn in three ways: text, HTML without script, and the live inspector.

The live form is added where a kernel and a browser are there to run it; committed outputs hold
the static forms, so that GitHub and nbconvert show everything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nitro_workflow.widgets.html import render_html
from nitro_workflow.widgets.text import render_text
from nitro_workflow.widgets.view_model import (
    DecisionModel,
    Model,
    to_json,
    visible,
)

__all__ = ["View"]

_STATIC = Path(__file__).parent / "static"

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
    def widget(self) -> Any:
        """Return the live inspector, an ipywidgets widget; made on first use."""
        widget = _widget_class()(model=to_json(self.model))
        if self._what_if is not None:
            widget.observe(self._answer, names="edits")
        return widget

    def _answer(self, change: Any) -> None:
        if self._what_if is not None:
            change.owner.model = to_json(visible(self._what_if(dict(change.new))))

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = {"text/plain": render_text(self.model), "text/html": render_html(self.model)}
        live = self.widget._repr_mimebundle_()
        data, metadata = live if isinstance(live, tuple) else (live, {})
        key = "application/vnd.jupyter.widget-view+json"
        return {**bundle, **({key: data[key]} if data and key in data else {})}, metadata


@functools.cache
def _widget_class() -> type[Any]:
    import anywidget
    import traitlets

    class Inspector(anywidget.AnyWidget):
        """One ES module with a renderer for each kind of model; Python holds the truth."""

        _esm = _STATIC / "inspector.js"
        _css = _STATIC / "inspector.css"
        model = traitlets.Dict().tag(sync=True)
        selection = traitlets.List(traitlets.Int(), default_value=[0, 0]).tag(sync=True)
        edits = traitlets.Dict(value_trait=traitlets.Unicode()).tag(sync=True)

    return Inspector
