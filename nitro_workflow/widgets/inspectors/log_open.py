"""Opening CloudTrail's records."""

from __future__ import annotations

from nitro_workflow.errors import PolicyError
from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.inspectors.log_model import LogModel, log_answers, make_log
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["open_log"]


def open_log(found: Recognised, _ask: Ask) -> Opened:
    """Return the view of CloudTrail's records, or of why they are none."""
    try:
        return Opened(make_log(found.value), log_answers(found.value))
    except PolicyError as error:
        head = Head("Decision log", f"Not readable as records: {error.found}", "bad",
                    f"Expected {error.expected}; at {error.where}.", error.next or "")  # fmt: skip
        return Opened(LogModel(head, ()))
