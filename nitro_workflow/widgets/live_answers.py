"""What a live form asks of Python, and what it is told: the same for a kernel and for a page.

A question is its name and values that came from a browser; the answer is JSON. Nothing is raised:
a question that nobody answers, values of another shape and our own errors are told as refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.errors import NitroWorkflowError, UsageError
from nitro_workflow.system_errors import as_package_error
from nitro_workflow.widgets.drawing import to_json, visible

__all__ = ["Answer", "Answers", "told"]

Answer = Callable[[Mapping[str, Any]], Any]
Answers = Mapping[str, Answer]


def told(answers: Answers, message: object) -> dict[str, Any]:
    """Return the reply to ``{"id", "question", "values"}``: ``answer``, or ``refused``."""
    if not isinstance(message, Mapping):
        return {"id": None, "refused": "a question is an object"}
    try:
        return {"id": message.get("id"), "answer": _answer(answers, message)}
    except NitroWorkflowError as error:
        return {"id": message.get("id"), "refused": visible(_said(error))}
    except (TypeError, KeyError, ValueError, OSError, RecursionError) as error:
        known = as_package_error(error) or UsageError("values that this question does not take")
        return {"id": message.get("id"), "refused": visible(_said(known))}


def _answer(answers: Answers, message: Mapping[str, Any]) -> Any:
    question, values = message.get("question"), message.get("values", {})
    if not isinstance(question, str) or question not in answers:
        raise UsageError("a question that this view does not answer")
    if not isinstance(values, Mapping):
        raise UsageError("values that are not an object")
    return to_json(visible(answers[question](values)))


def _said(error: NitroWorkflowError) -> str:
    return f"{error}. Next: {error.next}" if error.next else str(error)
