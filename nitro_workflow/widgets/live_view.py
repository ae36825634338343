"""The live form: an ES module that takes the place of the static HTML while a kernel is there.

An output holds text and HTML only. A widget's own output would be a mere reference to its state in
the kernel: of a notebook that is opened the next day, JupyterLab draws "model not found" in its
place, although the HTML stands beside it. So the widget draws no output of its own. Its module is
told which piece of HTML is its static form (`marked`), and takes that piece's place for as long as
the kernel that answers it is there.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from nitro_workflow.widgets.drawing import to_json, visible
from nitro_workflow.widgets.es_modules import STATIC, drop_module, live_module, live_style
from nitro_workflow.widgets.inspectors import KINDS
from nitro_workflow.widgets.live_answers import Answers, told

__all__ = ["live_choice", "live_form", "live_inspector", "marked"]


def live_form(model: Any, answers: Answers) -> Any | None:
    """Return the widget of one inspector; None where the Jupyter part is not installed.

    What its module asks is answered by ``answers``.
    """
    try:
        made = _inspector_class(model.kind)
    except ImportError:
        return None
    view = str(uuid.uuid4())
    widget = made(model=to_json(model), view=view, answers=bool(answers))
    widget.on_msg(lambda widget, message, _: widget.send(told(answers, message)))
    return widget


def live_inspector(model: Any) -> Any | None:
    """Return the widget of a plain model; None where the Jupyter part is not installed."""
    try:
        made = _plain_class()
    except ImportError:
        return None
    return made(model=to_json(visible(model)), view=str(uuid.uuid4()))


def live_choice(model: Any, said: str, keep: Callable[[str], str]) -> Any | None:
    """Return the widget of a question; ``keep`` takes each answer and returns what is said to it.

    None where the Jupyter part is not installed.
    """
    widget = live_inspector(model)
    if widget is None:
        return None

    def answered(change: Any) -> None:
        widget.said = keep(str(change["new"]))

    widget.said = said
    widget.observe(answered, names="answer")
    return widget


def marked(html: str, widget: Any | None) -> str:
    """Return the HTML of a static form, marked as the place of its live one."""
    if widget is None:
        return html
    return html.replace("<section", f'<section data-nw-view="{widget.view}"', 1)


@functools.cache
def _inspector_class(kind: str) -> type[Any]:
    import anywidget
    import traitlets

    class Inspector(anywidget.AnyWidget):
        """The ES module of one inspector; Python holds the truth."""

        _esm = drop_module(KINDS) if kind == "drop" else live_module(kind)
        _css = live_style(*(sorted(KINDS) if kind == "drop" else (kind,)))
        view = traitlets.Unicode().tag(sync=True)
        model = traitlets.Dict().tag(sync=True)
        answers = traitlets.Bool().tag(sync=True)

    return Inspector


@functools.cache
def _plain_class() -> type[Any]:
    import anywidget
    import traitlets

    class Inspector(anywidget.AnyWidget):
        """One ES module with a renderer for each plain model; Python holds the truth."""

        _esm = STATIC / "inspector.js"
        _css = STATIC / "inspector.css"
        view = traitlets.Unicode().tag(sync=True)
        model = traitlets.Dict().tag(sync=True)
        selection = traitlets.List(traitlets.Int(), default_value=[0, 0]).tag(sync=True)
        answer = traitlets.Unicode("").tag(sync=True)
        said = traitlets.Unicode("").tag(sync=True)

    return Inspector
