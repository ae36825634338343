"""Answers what is dropped: bytes from a browser become views, which ask their own questions.

Nothing is stored: the last views live in this process's memory until it ends.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from nitro_workflow.errors import InputError, UsageError
from nitro_workflow.widgets.drawing import to_json, visible
from nitro_workflow.widgets.inspectors.drop_model import MAX_DROPPED_BYTES
from nitro_workflow.widgets.live_answers import Answers
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.openers import opened
from nitro_workflow.widgets.recognising import recognise

__all__ = ["KEPT_VIEWS", "DropZone"]

KEPT_VIEWS = 20
"""Views that still answer; older ones stay on the page and answer no more."""

_LONGEST_NAME = 200


class DropZone:
    """Opens what is dropped. ``ask`` is what its documents are judged by."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._numbers = itertools.count()
        self._views: OrderedDict[int, Opened] = OrderedDict()

    @property
    def answers(self) -> Answers:
        """``inspect`` takes ``name`` and ``data`` in base64; ``view`` asks one of the views."""
        return {"inspect": self._inspect, "view": self._view}

    def _inspect(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        name = str(values.get("name", ""))[:_LONGEST_NAME]
        found = recognise(_decoded(values.get("data")), name=name)
        made = opened(found, self._ask)
        number = next(self._numbers)
        self._views[number] = made
        if len(self._views) > KEPT_VIEWS:
            self._views.popitem(last=False)
        model = to_json(visible(made.in_full()))
        said = f"{found.why} ({found.form})"
        return [{"id": number, "kind": made.model.kind, "model": model,
                 "asks": bool(made.answers), "said": said}]  # fmt: skip

    def _view(self, values: Mapping[str, Any]) -> Any:
        number, question, inner = (values.get(name) for name in ("view", "question", "values"))
        made = self._views.get(number) if isinstance(number, int) else None
        if made is None:
            raise UsageError("a view that is no longer here", next="Drop the file again.")
        if not isinstance(question, str) or question not in made.answers:
            raise UsageError("a question that this view does not answer")
        return made.answers[question](inner if isinstance(inner, Mapping) else {})


def _decoded(data: object) -> bytes:
    if not isinstance(data, str) or len(data) > 2 * MAX_DROPPED_BYTES:
        raise InputError("no bytes, or too many", expected=f"at most {MAX_DROPPED_BYTES:,} bytes")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("bytes that are not base64", expected="base64") from error
