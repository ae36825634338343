"""How a lesson's checks are written, found, called and kept.

A check module holds one class `Checks`::

    class Checks(LessonChecks):
        truths = {"pin-pcr1": Truth("yes: PCR1 is the same", "…")}
        stand_ins = {"ours": StandIn("statement", make=a_finished_statement)}

        @marks("pin-pcr1")
        def condition(self, condition: Any) -> Verdict: ...

Each public method is a check: it takes what the learner made and asks the engine about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from nitro_workflow.errors import NitroWorkflowError, UsageError
from nitro_workflow.lab import Lab
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.unfinished import unfinished
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["CheckDesk", "LessonChecks", "StandIn", "check_names", "marks", "takes_blanks"]

Method = TypeVar("Method", bound=Callable[..., Verdict])


@dataclass(frozen=True, slots=True)
class StandIn:
    """A finished thing for whoever left ``...``. ``what`` it is, in a word or two.

    ``make`` returns it. ``usable`` tells whether the cells below can go on with what the learner
    made, although it may be wrong; by default they can.
    """

    what: str
    make: Callable[[Lab], Any]
    usable: Callable[[Lab, Any], bool] = lambda *_: True


class LessonChecks:
    """The checks of one lesson; ``lab`` is where a check finds PCRs, ARNs, policies.

    ``truths`` are of its predictions, ``stand_ins`` of what its exercises make, by name.
    """

    truths: ClassVar[Mapping[str, Truth]] = {}
    stand_ins: ClassVar[Mapping[str, StandIn]] = {}

    def __init__(self, lab: Lab) -> None:
        self.lab = lab


def marks(*predictions: str) -> Callable[[Method], Method]:
    """Have a check mark predictions, too, whatever its own verdict is."""

    def told(method: Method) -> Method:
        vars(method)["marks"] = predictions
        return method

    return told


def takes_blanks(method: Method) -> Method:
    """Have a check look at an answer with ``...`` in it; others say at once what is missing."""
    vars(method)["takes_blanks"] = True
    return method


def check_names(checks: type[LessonChecks]) -> tuple[str, ...]:
    """Return the names of a lesson's checks, in the order in which they are written."""
    return tuple(
        name
        for kind in reversed(checks.__mro__)
        for name, value in vars(kind).items()
        if callable(value) and name[0] != "_"
    )


class CheckDesk:
    """``lesson.check``: calls a check by its name, keeps its outcome, and never raises.

    What a learner may write is without end: an answer of a form that the check cannot look at is
    a wrong answer, and is told as one.
    """

    def __init__(self, checks: LessonChecks, kept: KeptAnswers) -> None:
        self._checks = checks
        self._kept = kept

    def __dir__(self) -> list[str]:
        return list(check_names(type(self._checks)))

    def __getattr__(self, name: str) -> Callable[..., Verdict]:
        known = check_names(type(self._checks))
        if name[0] == "_":
            raise AttributeError(name)
        if name not in known:
            raise UsageError(
                f"no check {name!r}",
                expected=", ".join(known) or "none: this lesson has no check",
                where="lesson.check",
                next="name one of them, as the notebook does",
            )
        method = getattr(self._checks, name)

        def run(*made: Any, **named: Any) -> Verdict:
            verdict = _asked(method, made, named).named(f"check.{name}")
            self._kept.check(name, verdict.outcome, verdict.notes)
            return verdict.with_marks(tuple(map(self.mark, getattr(method, "marks", ()))))

        run.__doc__ = method.__doc__
        return run

    def mark(self, prediction: str) -> Verdict:
        """Return what is said to a prediction, and keep whether it was right.

        Raises `UsageError` for a prediction that this lesson does not know.
        """
        truth = self._checks.truths.get(prediction)
        if truth is None:
            raise UsageError(
                f"no prediction {prediction!r}",
                expected=", ".join(self._checks.truths) or "none: this lesson has no prediction",
                where="lesson.mark",
                next="name one of them, as the notebook does",
            )
        verdict = truth.marks(self._checks.lab, self._kept.answer(prediction))
        if verdict.outcome != "unanswered":
            self._kept.mark(prediction, right=verdict.outcome == "right")
        return verdict.named("your prediction")


def _asked(method: Callable[..., Verdict], made: tuple[Any, ...], named: dict[str, Any]) -> Verdict:
    blanks = [place for value in (*made, *named.values()) for place in unfinished(value)]
    if blanks and not getattr(method, "takes_blanks", False):
        places = ", ".join(place for place in blanks if place)
        return Verdict.unanswered(*([f"Still to fill in: {places}."] if places else []))
    try:
        return method(*made, **named)
    except NitroWorkflowError as error:
        wanted = f"; expected {error.expected}" if error.expected else ""
        said = f"This cannot be looked at: {error.found}{wanted}."
        return Verdict.wrong(said, f"Next: {error.next}.")
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        return Verdict.wrong(
            f"This is not of the form that was asked for: {type(error).__name__}, {error!s:.120}.",
            "Look at the cell above again: what is it to make?",
        )
