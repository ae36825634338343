"""The cloud's records as lines."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, grouped, head_lines
from nitro_workflow.widgets.inspectors.log_model import LogModel

__all__ = ["draw_text"]

_LINES = 200  # records


def draw_text(model: LogModel) -> Iterator[str]:
    """Yield the lines of the whole view."""
    yield from head_lines(model.head)
    for one in model.records[:_LINES]:
        what = f"{one.action}  {one.outcome}  {one.who}"
        what += f" on {one.resource}" if one.resource else ""
        yield f"  {MARKS[one.tone]} {one.at}  {what}"
        for label, text in (("why", one.why), ("said", one.said)):
            if text:
                yield f"      {label:<4}  {text}"
        if one.document is not None:
            yield f"      PCR0  {grouped(one.document.hex)}"
    more = max(0, len(model.records) - _LINES) + model.left_out
    if more:
        yield f"  and {more:,} older records"
