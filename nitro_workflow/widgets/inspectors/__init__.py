"""The inspectors: for each kind of thing one model, drawn as HTML, as text, and live.

A kind is one word. Its model is in ``<kind>_model.py``, its forms in ``<kind>_html.py``
(`draw_html`), ``<kind>_text.py`` (`draw_text`) and ``static/<kind>.js`` (`draw`); each is imported
when something of that kind is drawn.

>>> from nitro_workflow.widgets.inspectors import KINDS, draw_text
>>> from nitro_workflow.widgets.inspectors.bytes_model import make_bytes
>>> "bytes" in KINDS
True
>>> print(draw_text(make_bytes(b"hello")).splitlines()[0])
– Not a form this package knows
"""

from __future__ import annotations

import importlib
from typing import Any

from nitro_workflow.widgets.drawing import Markup, Model

__all__ = ["DROPPED", "KINDS", "STILL", "draw_html", "draw_text"]

KINDS = frozenset(
    {
        "bytes",
        "chain",
        "document",
        "drop",
        "enclave",
        "envelope",
        "image",
        "log",
        "message",
        "pcrs",
        "policy",
        "question",
        "result",
        "step_card",
        "trace",
        "workflow",
    }
)
"""Every kind that has an inspector with a live form."""

STILL = frozenset({"changes", "plain"})
"""Kinds that ask nothing back: their HTML is all that a browser needs."""

DROPPED = frozenset(
    {
        "bytes",
        "chain",
        "document",
        "envelope",
        "image",
        "log",
        "message",
        "pcrs",
        "policy",
    }
)
"""Kinds that a dropped file can be, so that a drop zone carries no more than it draws."""


def draw_html(model: Model) -> Markup:
    """Return the static form: HTML without script. Raises `KeyError` for a kind that is none."""
    return _form(model, "html").draw_html(model)  # type: ignore[no-any-return]


def draw_text(model: Model) -> str:
    """Return the model as lines of text. Raises `KeyError` for a kind that is none."""
    return "\n".join(_form(model, "text").draw_text(model))


def _form(model: Model, form: str) -> Any:
    if model.kind not in KINDS | STILL:
        raise KeyError(model.kind)
    return importlib.import_module(f"{__name__}.{model.kind}_{form}")
