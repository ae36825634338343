"""How far a learner is: what is kept of each lesson, counted against what the lesson asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nitro_workflow.lessons.checking import check_names
from nitro_workflow.lessons.checks import find_checks
from nitro_workflow.lessons.failures import FAILURE_LAB, forget_scores
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.lesson_table import LESSONS

__all__ = ["LessonProgress", "answers_in", "forget_answers", "progress_of"]


@dataclass(frozen=True, slots=True)
class LessonProgress:
    """One lesson: how many of its predictions are answered and came true, of its checks are right.

    ``tries`` counts how often a check was asked; ``notes`` are parts and scores, by check.
    """

    lesson: str
    title: str
    predictions: int
    answered: int
    came_true: int
    checks: int
    right: int
    tries: int
    notes: dict[str, dict[str, str]]

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def progress_of(lab: Path) -> Iterator[LessonProgress]:
    """Yield the progress of each lesson in a lab's folder; reads files only."""
    for number, plan in LESSONS.items():
        kept, asks = KeptAnswers(lab, number), find_checks(number)
        predictions, checks = kept.predictions(), kept.checks()
        names = check_names(asks)
        told = [checks[name] for name in names if name in checks]
        yield LessonProgress(
            lesson=number,
            title=plan.title,
            predictions=len(asks.truths),
            answered=sum(name in predictions for name in asks.truths),
            came_true=sum(predictions.get(name, {}).get("right") is True for name in asks.truths),
            checks=len(names),
            right=sum(one.get("outcome") == "right" for one in told),
            tries=sum(int(one.get("tries") or 0) for one in told),
            notes={name: dict(kept.notes(name)) for name in names if kept.notes(name)},
        )


def answers_in(number: str) -> str:
    """Return in words what `forget_answers` drops."""
    scores = " with the scores of the failure lab" if number == FAILURE_LAB else ""
    return f"your answers in lesson {number}{scores}"


def forget_answers(lab: Path, number: str) -> None:
    """Drop what was answered in one lesson, and what `answers_in` says beside."""
    KeptAnswers(lab, number).forget()
    if number == FAILURE_LAB:
        forget_scores(lab)
