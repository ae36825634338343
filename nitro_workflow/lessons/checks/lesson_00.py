"""Lesson 00: who may what by their own role, a call refused, a trust policy mended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from nitro_workflow.lab import PARTIES, Lab
from nitro_workflow.lessons.checking import LessonChecks
from nitro_workflow.lessons.checks.role_trust import judge_trust
from nitro_workflow.lessons.refusals import Caught
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.lessons.worlds import in_words, policy_from
from nitro_workflow.policy import (
    Explanation,
    Policies,
    Principal,
    Request,
    explain,
    parse_policy,
)
from nitro_workflow.widgets import sentence

__all__ = ["Checks"]

_ANY: Final = "00000000-0000-0000-0000-000000000000"
_ASKED: Final = re.compile(r"User: (?P<user>\S+) is not authorized to perform: (?P<action>\S+)")


def _own_policy(lab: Lab, role: str, action: str) -> Explanation:
    """Ask a role's own IAM policy about an action on what leaves the decision to it.

    Raises KeyError for no role.
    """
    texts = lab.bench.policies
    party = {texts.role_name(party): party for party in PARTIES}[role]
    accounts = [f"arn:aws:iam::{texts.account(one)}:root" for one in ("owner", "instance")]
    left = {"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": "*", "Resource": "*"}
    own = parse_policy(texts.identity_policy(party), kind="identity", name=f"{role}'s own policy")
    asked = Policies(
        resource=parse_policy(policy_from(left), kind="resource", name="what is asked for"),
        identity=(own,),
    )
    key = f"arn:aws:kms:{texts.region}:{texts.account('owner')}:key/{_ANY}"
    resource = key if action.startswith("kms:") and action != "kms:CreateKey" else "*"
    return explain(Request(Principal.parse(texts.role_arn(party)), action, resource), asked)


def _may_stop(lab: Lab) -> str:
    role = lab.bench.policies.role_name("administrator")
    said = in_words(_own_policy(lab, role, "ec2:TerminateInstances"))
    return f"The engine, asked for ec2:TerminateInstances by {role}: {said}."


class Checks(LessonChecks):
    """Checks of lesson 00: each asks the roles' own policies, or reads KMS's own answer."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "root-and-owner": Truth(
            "no: the owner's role does not trust them",
            "roles are given out by STS, and STS asks the role's own trust policy; "
            "root on an instance is no identity there",
        ),
        "stop-it": Truth(
            "the work, but no secret",
            "an enclave is ended by its parent at any time, and its memory is not handed over",
            found=_may_stop,
        ),
    }

    def may(self, may: Any) -> Verdict:
        """Compare "role action" → yes or no with what that role's own policy says."""
        strange = [question for question, said in may.items() if _word(said) not in ("yes", "no")]
        if strange:
            return Verdict.wrong(f'{strange[0]}: answer "yes" or "no".')
        wrong = [question for question in may if not self._agrees(question, may[question])]
        if not wrong:
            return Verdict.right("The engine, asked with the roles' own policies, says the same.")
        first = self._asked(wrong[0])
        said = f"{wrong[0]}: you say {_word(may[wrong[0]])}; asked, it is {in_words(first)}."
        rest = [f"Still to look at: {', '.join(wrong[1:])}."] if wrong[1:] else []
        return Verdict.wrong(said, sentence(first.cause.text), *rest)

    def administrator_refused(self, attempt: Any) -> Verdict:
        """Look at KMS's answer: who asked, and for what."""
        if not isinstance(attempt, Caught):
            return Verdict.wrong("attempt is no longer what the block gave: run its cell again.")
        refused = attempt.refused
        if not refused.code:
            return Verdict.unanswered("No call was refused in the cell above.")
        asked = _ASKED.search(refused.message)
        if asked is None:
            return Verdict.wrong(
                f"It failed before anybody decided: {refused.code}.",
                "KeyId is the key's ARN, CiphertextBlob the sealed bytes.",
            )
        role = self.lab.bench.policies.role_name("administrator")
        if f"/{role}/" not in asked["user"]:
            return Verdict.wrong(f"{asked['user']} asked.", "Take lesson.administrator.")
        if asked["action"] != "kms:Decrypt":
            return Verdict.wrong(f"The call asked for {asked['action']}, not for kms:Decrypt.")
        return Verdict.right(f"KMS answered {role} with {refused.code}, and sent no byte of it.")

    def trust(self, trust: Any) -> Verdict:
        """Ask the trust policy for everybody who might become the owner."""
        return judge_trust(trust, self.lab.bench)

    def _agrees(self, question: str, said: Any) -> bool:
        return (self._asked(question).decision.effect == "allowed") == (_word(said) == "yes")

    def _asked(self, question: str) -> Explanation:
        role, _, action = question.rpartition(" ")
        return _own_policy(self.lab, role, action)


def _word(said: Any) -> str:
    return str(said).strip().lower()
