"""Lesson 01: a key policy read, one written, one mended; what the account's root changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from nitro_workflow.errors import PolicyError
from nitro_workflow.lab import Lab
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, StandIn
from nitro_workflow.lessons.checks.key_keepers import judge_administration, judge_narrowed
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.policy import Explanation
from nitro_workflow.widgets import sentence

__all__ = ["Checks"]

_WORDS: Final = ("yes", "no")


def _administers(lab: Lab) -> dict[str, Any]:
    return {
        "Sid": "OwnerAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": worlds.callers_of(lab.bench)["DataOwner"]},
        "Action": ["kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"],
        "Resource": "*",
    }


def _kms_takes_it(lab: Lab, made: Any) -> bool:
    """Tell whether a key can be made with it: it is right, and names no role that is not there."""
    callers = worlds.callers_of(lab.bench)
    owner = callers["DataOwner"]
    named = made.get("Principal") if isinstance(made, Mapping) else None
    if named not in ({"AWS": owner}, {"AWS": [owner]}):
        return False
    try:
        return judge_administration(made, callers).outcome == "right"
    except PolicyError:
        return False


class Checks(LessonChecks):
    """Checks of lesson 01: each asks the policy engine for every caller, none with a document."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "owner-and-data-key": Truth(
            "no: no statement says GenerateDataKey",
            "in KMS neither the account that owns a key nor the role that made it may do anything "
            "but what the key policy says",
        ),
        "root-statement": Truth(
            "a refusal for another reason",
            "the statement hands the question on to IAM, and the owner's own IAM policy does not "
            "name GenerateDataKey",
        ),
        "lock-out": Truth(
            "KMS refuses to put it",
            "whoever puts a policy must be able to put the next one; only a flag named "
            "BypassPolicyLockoutSafetyCheck turns that off",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "administers": StandIn("statement", _administers, _kms_takes_it),
    }

    def who(self, policy: Any, who: Any) -> Verdict:
        """Ask the engine each question, and compare: “caller action” → yes or no."""
        strange = [question for question, said in who.items() if _word(said) not in _WORDS]
        if strange:
            return Verdict.wrong(f'{strange[0]}: answer "yes" or "no".')
        wrong = [question for question in who if not self._agrees(policy, question, who[question])]
        if not wrong:
            return Verdict.right(f"The engine says the same to all {len(who)}.")
        first = self._asked(policy, wrong[0])
        said = f"{wrong[0]}: you say {_word(who[wrong[0]])}; asked, it is {worlds.in_words(first)}."
        rest = [f"Still to look at: {', '.join(wrong[1:])}."] if wrong[1:] else []
        return Verdict.wrong(said, sentence(first.cause.text), *rest)

    def administers(self, statement: Any) -> Verdict:
        """Ask the statement alone: who keeps the key, and who could use it."""
        return judge_administration(statement, self._callers)

    def narrowed(self, policy: Any) -> Verdict:
        """Ask whether the account still reads, and can do nothing else."""
        return judge_narrowed(policy, self._callers)

    def _agrees(self, policy: Any, question: str, said: Any) -> bool:
        allowed = self._asked(policy, question).decision.effect == "allowed"
        return allowed == (_word(said) == "yes")

    def _asked(self, policy: Any, question: str) -> Explanation:
        caller, _, action = question.rpartition(" ")
        return worlds.ask_policy(policy, self._callers[caller], {}, action=f"kms:{action}")

    @property
    def _callers(self) -> dict[str, str]:
        return worlds.callers_of(self.lab.bench)


def _word(said: Any) -> str:
    return str(said).strip().lower()
