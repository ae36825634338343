"""A model, drawn in three ways: text, HTML without script, and the live inspector.

An output holds the static forms, so that GitHub, nbconvert and a notebook without its kernel show
everything; the live form takes the HTML's place where a kernel and a browser are there to run it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.widgets.drawing import Model, visible
from nitro_workflow.widgets.es_modules import static_style
from nitro_workflow.widgets.inspectors import draw_html, draw_text
from nitro_workflow.widgets.live_answers import Answers
from nitro_workflow.widgets.live_view import live_form, marked, show_in
from nitro_workflow.widgets.opened import Opened

__all__ = ["View"]


class View:
    """What a notebook shows of a model.

    ``answers`` are the questions that the live form may ask, by name: each is called with what the
    reader chose, and returns a model or JSON values. ``related`` are other views of the same thing,
    read as attributes. ``whole`` computes the model in full, where ``model`` is only what can be
    told at once: a notebook shows that first, and every other reader gets the whole.
    """

    def __init__(
        self,
        model: Model,
        *,
        answers: Answers | None = None,
        related: Mapping[str, Callable[[], Opened]] | None = None,
        whole: Callable[[], Model] | None = None,
    ) -> None:
        self._model: Any = visible(model)
        self._whole = whole
        self.answers: Answers = answers or {}
        self._related = related or {}

    @classmethod
    def of(cls, opened: Opened) -> View:
        """Return the view of what was opened."""
        return cls(opened.model, answers=opened.answers, related=opened.related, whole=opened.whole)

    def __getattr__(self, name: str) -> View:
        """Return another view of the same thing by its name, as ``chain`` of a document."""
        related = self.__dict__.get("_related", {})
        if name not in related:
            raise AttributeError(name)
        return View.of(related[name]())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._related]

    @property
    def model(self) -> Any:
        """The model in full, computed on first use."""
        if self._whole is not None:
            self._model = visible(self._whole())
            self._whole = None
        return self._model

    @property
    def soon(self) -> View | None:
        """What can be told before the model is computed in full; None when it is."""
        return None if self._whole is None else View(self._model)

    @property
    def text(self) -> str:
        """The model as lines of text."""
        return draw_text(self.model)

    @property
    def html(self) -> str:
        """The static form: one HTML fragment with its style, without script."""
        css = f"<style>{static_style(self.model.kind)}</style>"
        return draw_html(self.model).replace('<div class="card">', f'{css}<div class="card">', 1)

    def __repr__(self) -> str:
        return self.text

    @functools.cached_property
    def widget(self) -> Any | None:
        """Return the live form, made on first use; None where there is none to make."""
        return live_form(self.model, self.answers)

    def show(self, model: Model) -> None:
        """Show another model of the same kind in this one's place: in the live form at once."""
        self._model, self._whole = visible(model), None
        widget = self.__dict__.get("widget")
        if widget is not None:
            show_in(widget, self.model)

    def _ipython_display_(self) -> None:
        """Show what can be told at once, and in its place the whole when it is computed."""
        soon = self.soon
        if soon is None:
            raise NotImplementedError  # IPython asks for the bundle then
        from IPython.display import display

        place = display(
            {"text/plain": soon.text, "text/html": soon.html}, raw=True, display_id=True
        )
        place.update(self._repr_mimebundle_()[0], raw=True)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        html = marked(self.html, self.widget)
        return {"text/plain": self.text, "text/html": html}, {}
