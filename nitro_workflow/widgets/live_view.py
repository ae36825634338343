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
from typing import Any

from nitro_workflow.widgets.drawing import to_json
from nitro_workflow.widgets.es_modules import drop_module, live_module, live_style
from nitro_workflow.widgets.inspectors import DROPPED, STILL
from nitro_workflow.widgets.live_answers import Answers, told

__all__ = ["live_form", "marked", "show_in"]


def live_form(model: Any, answers: Answers) -> Any | None:
    """Return the widget of one inspector, whose questions ``answers`` answers.

    None where its kind has no live form, and where the Jupyter part is not installed.
    """
    if model.kind in STILL:
        return None
    try:
        made = _inspector_class(model.kind)
    except ImportError:
        return None
    view = str(uuid.uuid4())
    widget = made(model=to_json(model), view=view, answers=bool(answers))
    # Not the widget's own messages: anywidget hands over none where a page was slow (live.js).
    widget.layout.on_msg(lambda box, message, _: box.send(told(answers, message)))
    return widget


def show_in(widget: Any, model: Any) -> None:
    """Show another model of the same kind in every live form of the widget."""
    widget.model = to_json(model)
    widget.layout.send({"model": widget.model})


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

        _esm = drop_module(DROPPED) if kind == "drop" else live_module(kind)
        _css = live_style(kind, *(sorted(DROPPED) if kind == "drop" else ()))
        view = traitlets.Unicode().tag(sync=True)
        model = traitlets.Dict().tag(sync=True)
        answers = traitlets.Bool().tag(sync=True)

    # anywidget keeps one style a class name in a page: of two kinds, the first would lose its own.
    Inspector.__name__ = f"Inspector_{kind}"
    return Inspector
