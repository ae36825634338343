"""The live form: an ES module that takes the place of the static HTML while a kernel is there.

An output holds text and HTML only. A widget's own output would be a mere reference to its state in
the kernel: of a notebook that is opened the next day, JupyterLab draws "model not found" in its
place, although the HTML stands beside it. So the widget draws no output of its own. Its module is
told which piece of HTML is its static form (`mark`), and takes that piece's place for as long as
the kernel that answers it is there.
"""

from __future__ import annotations

import functools
import uuid
from pathlib import Path
from typing import Any

from nitro_workflow.widgets.view_model import Live, to_json, visible

__all__ = ["live_inspector", "mark"]

_STATIC = Path(__file__).parent / "static"


def live_inspector(model: Live) -> Any | None:
    """Return the widget of one view; None where the Jupyter part is not installed."""
    try:
        made = _widget_class()
    except ImportError:
        return None
    return made(model=to_json(visible(model)), view=str(uuid.uuid4()))


def mark(html: str, widget: Any | None) -> str:
    """Return the HTML of a static form, marked as the place of its live one."""
    if widget is None:
        return html
    return html.replace("<section", f'<section data-nw-view="{widget.view}"', 1)


@functools.cache
def _widget_class() -> type[Any]:
    import anywidget
    import traitlets

    class Inspector(anywidget.AnyWidget):
        """One ES module with a renderer for each kind of model; Python holds the truth."""

        _esm = _STATIC / "inspector.js"
        _css = _STATIC / "inspector.css"
        view = traitlets.Unicode().tag(sync=True)
        model = traitlets.Dict().tag(sync=True)
        selection = traitlets.List(traitlets.Int(), default_value=[0, 0]).tag(sync=True)
        edits = traitlets.Dict(value_trait=traitlets.Unicode()).tag(sync=True)

    return Inspector
