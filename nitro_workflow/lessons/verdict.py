"""What is said to something that a learner made: right, wrong, or not answered yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Final, Literal

__all__ = ["Outcome", "Verdict"]

Outcome = Literal["right", "wrong", "unanswered"]

_HEADS: Final[dict[Outcome, tuple[str, str, str]]] = {
    "right": ("✓", "Right", "var(--jp-success-color0, #1b5e20)"),
    "wrong": ("✗", "Not yet", "var(--jp-error-color0, #b71c1c)"),
    "unanswered": ("·", "Not answered yet", "var(--jp-border-color1, #8a95a3)"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict: its sentences say what is right, or what is wrong and where to look.

    ``witness`` is one request, or one value, for which the learner's answer does something else
    than was asked for. ``about`` names what was looked at; ``also`` are verdicts that belong to it.
    ``notes`` are kept with the outcome: the parts of an answer, a score, by name.

    >>> Verdict.wrong("An image you never saw gets in.", "Which PCR covers the whole image?")
    ✗ Not yet: An image you never saw gets in. Which PCR covers the whole image?
    """

    outcome: Outcome
    sentences: tuple[str, ...] = ()
    witness: str = ""
    about: str = ""
    also: tuple[Verdict, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

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
    def text(self) -> str:
        """The verdict as lines of text."""
        mark, head, _ = _HEADS[self.outcome]
        said = " ".join(self.sentences)
        lines = [f"{mark} {head}{': ' + said if said else '.'}"]
        lines += [f"  try: {self.witness}"] if self.witness else []
        name = [f"[{self.about}]"] if self.about else []
        return "\n".join([*name, *lines, *(one.text for one in self.also)])

    @property
    def html(self) -> str:
        """The verdict as HTML without script; every text of it is escaped."""
        mark, head, colour = _HEADS[self.outcome]
        about = f" <small><code>{escape(self.about)}</code></small>" if self.about else ""
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences)
        witness = f"<p>Try: <code>{escape(self.witness)}</code></p>" if self.witness else ""
        return (
            f'<section aria-label="{head}" style="border-left:4px solid {colour};'
            f'padding:2px 12px;margin:4px 0"><p><b style="color:{colour}">{mark} {head}</b>'
            f"{about}</p>{said}{witness}</section>{''.join(one.html for one in self.also)}"
        )

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}
