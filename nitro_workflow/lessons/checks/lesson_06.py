"""Lesson 06: an Allow for one image, a Deny for everybody else, five keys to judge, one to mend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nitro_workflow.errors import PolicyError
from nitro_workflow.lab import Lab
from nitro_workflow.lessons import lesson_keys, lesson_views, worlds
from nitro_workflow.lessons.checking import LessonChecks, StandIn, marks, takes_blanks
from nitro_workflow.lessons.checks.fences import judge_allow, judge_deny, judge_mended
from nitro_workflow.lessons.checks.five_judged import judge_answers
from nitro_workflow.lessons.five_policies import FIVE
from nitro_workflow.lessons.key_doors import find_doors
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]

_PCR0 = "kms:RecipientAttestation:PCR0"


def _allow(lab: Lab, condition: object) -> dict[str, Any]:
    return {
        "Sid": "OurImageDecrypts",
        "Effect": "Allow",
        "Principal": {"AWS": worlds.callers_of(lab.bench)["ParentInstance"]},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": condition,
    }


def _finished_allow(lab: Lab) -> dict[str, Any]:
    pcr0 = worlds.image_pcrs(lab.bench)["PCR0"]
    return _allow(lab, {"StringEqualsIgnoreCase": {_PCR0: pcr0}})


def _finished_deny(lab: Lab) -> dict[str, Any]:
    return {
        "Sid": "NobodyElse",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringNotEqualsIgnoreCase": {_PCR0: worlds.image_pcrs(lab.bench)["PCR0"]}},
    }


def _same_kernel(lab: Lab) -> str:
    pcrs = worlds.image_pcrs(lab.bench)
    only = {"StringEquals": {"kms:RecipientAttestation:PCR1": pcrs["PCR1"]}}
    asked = worlds.ask_policy(
        _allow(lab, only),
        worlds.callers_of(lab.bench)["ParentInstance"],
        worlds.document_of_world(pcrs, "same-kernel"),
    )
    return f"The engine, asked with another image of your kernel: {worlds.in_words(asked)}."


def _is_statement(_: Lab, made: object) -> bool:
    try:
        worlds.policies_of(made)
    except PolicyError:
        return False
    return True


class Checks(LessonChecks):
    """Checks of lesson 06: every one asks the policy engine, with documents nobody thought of."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "pin-pcr1": Truth(
            "yes: PCR1 is the same",
            "PCR1 covers the kernel, its command line and the boot ramdisk, "
            "and every image of one nitro-cli has those from it",
            found=_same_kernel,
        ),
        "owner-without-document": Truth(
            "the key, in clear",
            "the owner's own Allow asks for no document, and nothing takes an Allow away",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "ours": StandIn("statement", _finished_allow, _is_statement),
        "deny": StandIn("Deny", _finished_deny, _is_statement),
    }

    @marks("pin-pcr1")
    def condition(self, condition: Any) -> Verdict:
        """Ask the statement alone, for the instance, with six documents."""
        return judge_allow(_allow(self.lab, condition), self._pcrs, self._callers)

    def deny(self, deny: Any) -> Verdict:
        """Ask the Deny beside an Allow for everybody: six callers, six documents."""
        return judge_deny(deny, self._pcrs, self._callers)

    @takes_blanks
    def answers(self, answers: Any) -> Verdict:
        """Compare with the doors of each key, found at this moment."""
        doors = {name: lesson_keys.doors_of(self.lab.bench, name) for name in FIVE}
        return judge_answers(answers, doors)

    def closed(self, policy: Any, like: str) -> Verdict:
        """Ask whether the three doors are shut, ours open, and the owner still in charge."""
        given = lesson_keys.case_of(self.lab.bench, like).document()
        return judge_mended(policy, given, self._pcrs, self._callers)

    def same(self, deny: Any) -> Verdict:
        """Ask whether this Deny and the workflow's own decide every request alike."""
        policy = lesson_views.key_policy(self.lab.bench)
        fence = [one for one in policy["Statement"] if one.get("Sid") == "NoDecryptOutside"]
        if not fence:
            return Verdict.unanswered("The workflow's key has no Deny yet: run P7 first.")
        everybody = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
        mine, its = (
            find_doors([everybody, one], self._pcrs, self._callers).decrypt
            for one in (deny, fence[0])
        )
        apart = [name for name in mine if mine[name] != its[name]]
        if not apart:
            return Verdict.right("No request is decided otherwise by your Deny than by this one.")
        return Verdict.wrong(
            f"The two differ for {apart[0]}.", "Look at the check of your Deny again."
        )

    @property
    def _pcrs(self) -> dict[str, str]:
        return worlds.image_pcrs(self.lab.bench)

    @property
    def _callers(self) -> dict[str, str]:
        return worlds.callers_of(self.lab.bench)
