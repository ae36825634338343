"""A question as text: its options, no answer."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.inspectors.question_model import QuestionModel

__all__ = ["draw_text"]


def draw_text(model: QuestionModel) -> Iterator[str]:
    """Yield the question and its options."""
    yield model.head.verdict
    yield from (f"  ○ {option}" for option in model.options or ("…",))
