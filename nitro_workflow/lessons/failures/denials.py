"""The twelve denials of lesson 10, in an order of the learner's own, with what each has cost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import (
    MISSING_DENIALS,
    RECORD,
    SET_UPS,
    FailureCase,
    Lab,
    gather_evidence,
    open_failure_lab,
    try_closing,
    try_repair,
)
from nitro_workflow.lessons.failures.failure_views import Evidence, attempt_card, board, choices
from nitro_workflow.lessons.failures.scoring import FREE_EVIDENCE, ScoreFile
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.progress_board import told_below_the_cell
from nitro_workflow.widgets import View, Views

if TYPE_CHECKING:
    from nitro_workflow.lab import Attempt, Repair
    from nitro_workflow.lessons.failures.scoring import CaseScore

__all__ = ["Denials", "open_denials", "show_attempt"]

PRINTED_ORDER: Final = 32
"""The seed of the order in which the notebook is printed."""


class Denials:
    """The board: shows the cases' scores, opens a case, asks for evidence."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.seed = seed
        self._lab = lab
        self._rooms: Any = None
        self._scores = ScoreFile(lab.path, seed)
        order = random.Random(seed).sample(sorted(SET_UPS), len(SET_UPS))  # noqa: S311 - no secret
        self._causes = {str(place): cause for place, cause in enumerate(order, 1)}
        self._causes |= {letter: letter for letter in MISSING_DENIALS}
        self._cases: dict[str, FailureCase] = {}

    def __repr__(self) -> str:
        return repr(self.board())

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.board()._repr_mimebundle_(**options)

    @in_a_lesson
    def board(self) -> View:
        """Return the scores of the twelve."""
        numbers = [name for name in self._causes if name not in MISSING_DENIALS]
        return View(board({name: self._scores.get(name) for name in numbers}, self.seed))

    @in_a_lesson
    def choices(self) -> Views:
        """Return what may be asked, the sixteen causes, what may be changed."""
        return Views(tuple(map(View, choices())))

    @in_a_lesson
    def symptom(self, name: int | str) -> View:
        """Make the set-up of a case from the beginning, and the call; return what the program got.

        Raises `UsageError` for a name that is no case's.
        """
        case = self._case(name)
        return View(attempt_card(case.open(), f"Case {case.name}", case.set_up.story))

    @in_a_lesson
    def ask(self, name: int | str, command: str) -> Evidence:
        """Return what a command says of a case, and count it; again, it is free.

        Raises `UsageError` for an unknown command, and for the record before a diagnosis.
        """
        case = self._case(name)
        score = self._scores.get(case.name)
        if command == RECORD and not (score.wrong or score.found):
            raise UsageError(
                f"the record of case {case.name}, before a diagnosis",
                expected="an answer of yours first: on AWS there is no such reason to read",
                where="failure lab",
                next="say what you think it is; a wrong answer opens the record",
            )
        value = gather_evidence(case, command)
        after = score.reading() if command == RECORD else score.asking(command)
        self._scores.put(case.name, after)
        return Evidence(command, value, _cost(after))

    @in_a_lesson
    def forget(self) -> View:
        """Drop the scores of this order, and return the empty board."""
        self._scores.forget()
        return self.board()

    @in_a_lesson
    def close(self) -> str:
        """End the enclaves of the failure lab; the keys and the scores stay."""
        if self._rooms is not None:
            self._rooms.close()
        self._rooms, self._cases = None, {}
        return "The practice enclaves have ended; the next symptom launches them again."

    # -- for the checks ----------------------------------------------------------------------------

    def score(self, name: str) -> CaseScore:
        """Return the score of a case."""
        return self._scores.get(name)

    def says(self, name: str, cause: str) -> tuple[CaseScore, bool]:
        """Take a diagnosis; return the score with it, and whether it is right."""
        right = cause == self._causes[name]
        score = self._scores.get(name).saying(cause, right=right)
        self._scores.put(name, score)
        return score, right

    def repair(self, name: str, change: Any) -> Repair:
        """Make the change for real, and keep whether it mended the case."""
        case = self._case(name)
        done = try_repair(case, change)
        if done.result == "mended":
            self._scores.put(name, self._scores.get(name).mending())
        return done

    def close_denial(self, letter: str, policy: Any) -> Repair:
        """Put a policy where a denial is missing, and try it."""
        return try_closing(self._case(letter), policy)

    # -- inside ------------------------------------------------------------------------------------

    def _case(self, name: int | str) -> FailureCase:
        known = str(name).upper()
        if known not in self._causes:
            raise UsageError(
                f"no case {name!r}",
                expected="1 to 12, A or B",
                where="failure lab",
                next="name one of these",
            )
        if known not in self._cases:
            self._cases[known] = self._opened().case(known, self._causes[known])
        return self._cases[known]

    def _opened(self) -> Any:
        if self._rooms is None:
            with told_below_the_cell(self._lab):
                self._rooms = open_failure_lab(self._lab)
        return self._rooms


def open_denials(lab: Lab, seed: Any = ...) -> Denials:
    """Return the twelve denials in the order of ``seed``; ``...`` for that of the printed notebook.

    Raises `UsageError` for a seed that is no whole number.
    """
    if seed is ...:
        seed = PRINTED_ORDER
    if not isinstance(seed, int):
        raise UsageError(
            f"the seed {seed!r}",
            expected="a whole number: whoever uses the same has the same order",
            where="failure lab",
            next="write a number, or leave ...",
        )
    return Denials(lab, seed)


def show_attempt(attempt: Attempt, title: str) -> View:
    """Return what a program got, and no more, to be shown."""
    return View(attempt_card(attempt, title))


def _cost(score: CaseScore) -> str:
    if score.found:
        return "after the diagnosis: free"
    count = f"{len(score.asked)} asked, {FREE_EVIDENCE} are free"
    return f"{count}; the case is worth {score.worth} now"
