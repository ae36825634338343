"""What is said to a learner's three answers about each of the five keys of lesson 06.

What is true is found by brute force when it is asked; here stand only the words for likely errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from nitro_workflow.lessons.key_doors import QUESTIONS, Doors
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["judge_answers"]

_NULL: Final = "`Null: false` asks whether there is a PCR0. Does it ask which?"
_THEN: Final = "With a document the key exists, and then it must be A."
_CARE: Final = "The account may do everything, by IAM. Does the Deny care who asks?"
_BELOW: Final = "Read below the policy as well: who got a grant? And whom does the Deny leave out?"

_LOOK: Final[Mapping[tuple[str, str], str]] = {
    ("harbour", "without a document"): (
        "The Allow has no condition. Look at the Deny: what do negated operators do when all "
        "three keys are absent?"
    ),
    ("harbour", "another image"): "Try a document with another PCR0 and your PCR1.",
    ("harbour", "debug"): "Zeros differ from A, and from B, and from C.",
    ("lantern", "without a document"): (
        "Without a document the key is absent: `Null` is then true, not false."
    ),
    ("lantern", "another image"): _NULL,
    ("lantern", "debug"): _NULL,
    ("meadow", "without a document"): "What does IfExists say when it does not exist?",
    ("meadow", "another image"): _THEN,
    ("meadow", "debug"): _THEN,
    ("orchard", "without a document"): _CARE,
    ("orchard", "another image"): _CARE,
    ("orchard", "debug"): _CARE,
    ("quarry", "without a document"): _BELOW,
    ("quarry", "another image"): _BELOW,
    ("quarry", "debug"): _BELOW,
}
"""Key and question → where to look, for whoever answered it wrongly."""

_GRANT: Final = (
    "By whom? Not by the instance: by the grant's holder, in the account that the Deny leaves out."
)


def judge_answers(answers: Any, doors: Mapping[str, Doors]) -> Verdict:
    """Say to each key's answers how many are right, and where to look for the first wrong one."""
    if not isinstance(answers, Mapping) or not set(answers) <= set(doors):
        return Verdict.wrong(f"Answer by name: {', '.join(doors)}.", "For example: “no yes no”.")
    given = {name: answers.get(name, ...) for name in doors}
    said = {name: _said(name, one, doors[name]) for name, one in given.items() if one is not ...}
    if not said:
        return Verdict.unanswered()
    sentences = [f"{name}: {words}" for name, (_, words) in said.items()]
    left = [name for name in doors if name not in said]
    sentences += [f"Still to judge: {', '.join(left)}."] if left else []
    notes = {name: f"{right} of 3" for name, (right, _) in said.items() if right >= 0}
    if any(right < len(QUESTIONS) for right, _ in said.values()):
        return Verdict.wrong(*sentences).with_notes(notes)
    verdict = Verdict.unanswered(*sentences) if left else Verdict.right(*sentences)
    return verdict.with_notes(notes)


def _said(name: str, answer: Any, doors: Doors) -> tuple[int, str]:
    """Return how many of three are right, -1 for no answer that can be read, and the words."""
    words = re.findall(r"[a-z]+", str(answer).lower())
    if len(words) != len(QUESTIONS) or set(words) - {"yes", "no"}:
        return -1, "say yes or no three times, in the order of the questions: “no yes no”."
    wrong = [
        question
        for question, word in zip(QUESTIONS, words, strict=True)
        if (word == "yes") != bool(doors.witness(question))
    ]
    if not wrong:
        return 3, f"3 of 3. {_GRANT}" if name == "quarry" else "3 of 3."
    return 3 - len(wrong), f"{3 - len(wrong)} of 3. {wrong[0]}? {_LOOK[name, wrong[0]]}"
