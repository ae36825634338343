"""What is said to something that a learner made: right, wrong, or not answered yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from nitro_workflow.widgets import Fact, Head, PlainModel, Tone, View

__all__ = ["Outcome", "Verdict"]

Outcome = Literal["right", "wrong", "unanswered"]

_HEADS: Final[dict[Outcome, tuple[str, Tone]]] = {
    "right": ("Right", "good"),
    "wrong": ("Not yet", "bad"),
    "unanswered": ("Not answered yet", "neutral"),
}

_IN_HEAD: Final = 3
"""Sentences that stand in a card's head; of more, each ("name: …") has a line of its own.

A first one without a name stays in the head.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict: its sentences say what is right, or what is wrong and where to look.

    ``witness`` is one request, or one value, for which the learner's answer does something else
    than was asked for. ``about`` names what was looked at; ``also`` are verdicts that belong to it.
    ``word`` takes the place of the outcome's own. ``notes`` are kept with the outcome: the parts
    of an answer, a score, by name.

    >>> Verdict.wrong("An image you never saw gets in.", "Which PCR is it?").named("your check")
    ✗ Not yet: An image you never saw gets in.
      your check
      why   Which PCR is it?
    """

    outcome: Outcome
    sentences: tuple[str, ...] = ()
    witness: str = ""
    about: str = ""
    also: tuple[Verdict, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    word: str = ""

    @classmethod
    def right(cls, *sentences: str, witness: str = "") -> Verdict:
        """Return that it is right, and what makes it so."""
        return cls("right", sentences, witness)

    @classmethod
    def wrong(cls, *sentences: str, witness: str = "") -> Verdict:
        """Return what is wrong and where to look; ``witness`` is an example to try."""
        return cls("wrong", sentences, witness)

    @classmethod
    def unanswered(cls, *sentences: str) -> Verdict:
        """Return that there is no answer yet; ``sentences`` say at most where one is missing."""
        return cls("unanswered", sentences)

    def named(self, about: str) -> Verdict:
        """Return the verdict with the name of what was looked at."""
        return replace(self, about=about)

    def with_notes(self, notes: Mapping[str, str]) -> Verdict:
        """Return the verdict with what is to be kept beside its outcome."""
        return replace(self, notes=notes)

    def with_marks(self, marks: tuple[Verdict, ...]) -> Verdict:
        """Return the verdict with others that belong to it."""
        return replace(self, also=(*self.also, *marks))

    @property
    def view(self) -> View:
        """The verdict as a card."""
        head, tone = self.head
        many = len(self.sentences) > _IN_HEAD
        first, *rest = self.sentences or ("",)
        if many:
            first, rest = ("" if ": " in first else first), []
        if self.word:
            first, rest = "", list(self.sentences)
        lines = (one.partition(": ") for one in self.sentences if many and one != first)
        marks = (Fact(one.about, one.line, one.head[1]) for one in self.also)
        return View(
            PlainModel(
                Head(self.about, f"{head}{f': {first}' if first else '.'}", tone, " ".join(rest)),
                facts=(
                    *(Fact(name, said) for name, _, said in lines),
                    *([Fact("try", self.witness)] if self.witness else ()),
                    *marks,
                ),
            )
        )

    @property
    def head(self) -> tuple[str, Tone]:
        """The verdict in a word, and its tone."""
        word, tone = _HEADS[self.outcome]
        return self.word or word, tone

    @property
    def line(self) -> str:
        """The verdict in one line, as it stands below another."""
        return " ".join([f"{self.head[0]}.", *self.sentences])

    @property
    def text(self) -> str:
        """The verdict as lines of text."""
        return self.view.text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.view._repr_mimebundle_()[0]
