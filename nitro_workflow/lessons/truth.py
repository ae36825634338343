"""What is true of a prediction: it stands in the lesson's module, never in the notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nitro_workflow.lab import Lab
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.widgets import sentence

__all__ = ["Truth", "same_words"]


def same_words(said: str, true: str) -> bool:
    """Compare as a person does: without case, and without what stands around and between words."""
    return " ".join(said.lower().split()) == " ".join(true.lower().split())


@dataclass(frozen=True, slots=True)
class Truth:
    """The answer to one prediction.

    ``answer`` is the option as the notebook writes it, or what a free text should say.
    ``because`` is why. ``found`` asks the engine, or the lab, when the answer is marked: what it
    returns is shown as the evidence. ``accepts(said, answer)`` decides about other words.
    """

    answer: str | Callable[[Lab], str]
    because: str
    found: Callable[[Lab], str] | None = None
    accepts: Callable[[str, str], bool] = same_words

    def marks(self, lab: Lab, said: str) -> Verdict:
        """Return what is said to an answer; an empty one is none."""
        if not said:
            return Verdict.unanswered()
        true = self.answer(lab) if callable(self.answer) else self.answer
        evidence = (sentence(self.found(lab)),) if self.found else ()
        if self.accepts(said, true):
            told = f"“{said}”, because {self.because}."
            return replace(Verdict.right(told, *evidence), word="As you said")
        told = f"You said “{said}”; it is “{true}”, because {self.because}."
        return replace(Verdict.wrong(told, *evidence), word="Otherwise")
