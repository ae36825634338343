"""Lesson 13: settings, costs, a role's statement, two accounts, and the order of an end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from nitro_workflow.attestation import Verifier
from nitro_workflow.cloud import AwsSettings
from nitro_workflow.lab import Lab, Plan, document_of, plan
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, StandIn, marks
from nitro_workflow.lessons.checks.aws_rights import LAB, becomes_owner, handed_on
from nitro_workflow.lessons.lesson_views import key_policy
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["ON_A_WORD", "PARTS", "Checks"]

ON_A_WORD: Final = ("D1", "D2", "D6", "D7", "D8")
"""Steps whose evidence on AWS is somebody's word: of the parent, its proxy, or the enclave."""

PARTS: Final = (
    *("KMS keys", "buckets", "instance", "instance profile"),
    *("other roles", "owner's role", "security group"),
)
_HELD: Final = (
    ("instance", "security group", "EC2 answers DependencyViolation: an instance is in the group."),
    ("instance profile", "other roles", "IAM answers DeleteConflict: a profile holds a role."),
)
"""What goes first, what goes after it, what AWS says otherwise."""

_MINE: Final = AwsSettings(
    "eu-central-1",
    data_profile="acme-data",
    compute_profile="acme-compute",
    stop_after_minutes=60,
    given={"bucket": "acme-patients"},
)
_ONE: Final = replace(_MINE, data_account="111122223333", compute_account="111122223333")
_TWO: Final = replace(_ONE, compute_account="444455556666")
_HALF_A_CENT: Final = 0.005


def _foreign(lab: Lab) -> str:
    report = Verifier.aws().explain(document_of(lab.bench), at="document")
    return f"Asked of Verifier.aws(): what failed is {', '.join(report.failed)}."


def _one_or_two(_: Lab) -> str:
    one, two = (worlds.in_words(becomes_owner(settings)) for settings in (_ONE, _TWO))
    return f"Asked, may they rewrite who becomes the owner: in one account {one}, in two {two}."


class Checks(LessonChecks):
    """Checks of lesson 13."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "foreign-document": Truth(
            "the root, and nothing else",
            "form, signature and chain are as AWS makes them; only whose hardware stands behind "
            "them is another question",
            found=_foreign,
        ),
        "one-account": Truth(
            "it holds against the four roles, not against who administers IAM there",
            "who may write IAM policies of an account may become any role in it",
            found=_one_or_two,
        ),
        "only-a-word": Truth(
            f"{', '.join(ON_A_WORD[:-1])} and {ON_A_WORD[-1]}",
            "nobody but the parent, its proxy or the enclave is there to see them; the receipt, "
            "which Nitro signs, bears out the digests",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "mine": StandIn(
            "set of settings",
            make=lambda _: _MINE,
            usable=lambda _, made: isinstance(made, AwsSettings),
        ),
    }

    def settings(self, mine: Any) -> Verdict:
        """Look at the settings, and at the plan that comes of them."""
        if not isinstance(mine, AwsSettings):
            return Verdict.wrong(f"This is of type {type(mine).__name__}.", "Write AwsSettings(…).")
        for wrong in _unlike(mine):
            return wrong
        made = plan(mine, LAB)
        return Verdict.right(
            f"The plan has {len(made.things)} things; your bucket is none of them.",
            "It is neither made nor removed.",
        )

    def forgotten(self, made: Any, forgotten: Any) -> Verdict:
        """Compare a sum with that of the plan."""
        if not isinstance(made, Plan):
            return Verdict.wrong("The first is no plan.", "Give what plan(…) returned.")
        said = float(forgotten)
        if abs(said - made.forgotten_month) <= _HALF_A_CENT:
            return Verdict.right(
                f"${made.forgotten_month:.2f}: two keys, and an instance that ended itself.",
                f"If it does not, the month costs ${made.worst_month:.2f}.",
            )
        why = next((why for sum_, why in _sums(made) if abs(said - sum_) <= _HALF_A_CENT), "")
        return Verdict.wrong(
            f"${said:.2f} is not what the plan comes to.",
            why or "What is made at P8 runs for stop_after_minutes, all else for 730 hours.",
        )

    def statement(self, statement: Any) -> Verdict:
        """Ask the evaluator what the administrator may do with a statement."""
        tried = list(handed_on(statement, AwsSettings("us-east-1")))
        for one in tried:
            if not one.holds and one.wanted:
                return Verdict.wrong(f"Nobody may {one.what}.", f"{one.found.summary}.")
        beyond = [one for one in tried if not one.holds]
        if beyond:
            return Verdict.wrong(
                f"It lets them {beyond[0].what}, too.",
                "Name one action and one role.",
                witness=beyond[0].found.summary,
            )
        return Verdict.right("They may hand on that one role; four other requests were refused.")

    @marks("one-account")
    def apart(self, apart: Any) -> Verdict:
        """Ask the evaluator whether who administers one account can become the owner."""
        if not isinstance(apart, AwsSettings):
            return Verdict.wrong(
                f"This is of type {type(apart).__name__}.", "replace(one, …) gives a changed copy."
            )
        accounts = (apart.data_account, apart.compute_account)
        if not all(re.fullmatch(r"[0-9]{12}", one) for one in accounts):
            return Verdict.wrong("An account is 12 digits.", "Name both.")
        told = becomes_owner(apart)
        if told.decision.effect == "allowed":
            return Verdict.wrong(
                "Who administers IAM in the compute account rewrites who may become the owner.",
                "Whose account should the instance be in?",
                witness=told.summary,
            )
        if apart.data_profile == apart.compute_profile:
            return Verdict.wrong(
                "Two accounts on paper, and one profile for both.",
                "The pre-flight asks AWS who each profile is: which other one is yours?",
            )
        return Verdict.right(f"Asked: {told.summary}.")

    def order(self, order: Any) -> Verdict:
        """Look for what AWS would refuse, or what nobody could end any more, in an order."""
        left = sorted(set(PARTS) ^ set(order))
        if left or len(order) != len(PARTS):
            return Verdict.wrong("Each of the seven, once.", f"Look at: {', '.join(left)}.")
        place = {name: number for number, name in enumerate(order)}
        for first, then, why in _HELD:
            if place[first] > place[then]:
                return Verdict.wrong(why, f"What must go before the {then}?")
        nobody = _enders(self.lab)
        if place["KMS keys"] > place["owner's role"]:
            return Verdict.wrong(
                f"The keys stay, and cost: {nobody}.", "Who may end a key? Its policy says."
            )
        return Verdict.right("Nothing is refused and nothing stays.", f"And {nobody}.")


def _unlike(mine: AwsSettings) -> Iterator[Verdict]:
    """Yield what is not as it was asked for, the first first."""
    if mine.region != _MINE.region:
        yield Verdict.wrong(f"The region is {mine.region}.", "Frankfurt is eu-central-1.")
    profiles = (mine.data_profile, mine.compute_profile)
    if profiles == (_MINE.compute_profile, _MINE.data_profile):
        yield Verdict.wrong("The profiles are swapped.", "The key belongs to the data account.")
    if profiles != (_MINE.data_profile, _MINE.compute_profile):
        yield Verdict.wrong(
            f"The profiles are {profiles[0] or 'none'} and {profiles[1] or 'none'}.",
            "data_profile and compute_profile name one operator each.",
        )
    if mine.stop_after_minutes != _MINE.stop_after_minutes:
        yield Verdict.wrong(
            f"The instance ends itself after {mine.stop_after_minutes} minutes.",
            "stop_after_minutes counts minutes.",
        )
    if mine.given != _MINE.given:
        yield Verdict.wrong(
            f"What is given: {dict(mine.given) or 'nothing'}.",
            'A bucket that is not given is made, and removed in the end: given={"bucket": …}.',
        )


def _sums(made: Plan) -> Iterator[tuple[float, str]]:
    """Yield what a learner's sum may be instead, and what is then to be said."""
    hours = made.settings.stop_after_minutes / 60
    stays = sum(thing.hour for thing in made.things if thing.step != "P8")
    yield made.worst_month, "The instance ends itself: it does not run for a month."
    yield stays * 730, "These are the keys; what the instance cost before its end is missing."
    yield made.an_hour * hours, "The keys stay when the instance is gone: they cost all month."
    yield made.an_hour, "This is one hour."
    yield made.an_hour * 720, "All of it for 30 days: but the instance ends itself."


def _enders(lab: Lab) -> str:
    """Ask the key's own policy who may end the key, beside the owner's role."""
    owner = lab.bench.policies.role_arn("owner")
    callers = {name: arn for name, arn in worlds.callers_of(lab.bench).items() if arn != owner}
    able = [
        name
        for name, arn in callers.items()
        if worlds.ask_policy(
            key_policy(lab.bench), arn, {}, action="kms:ScheduleKeyDeletion"
        ).decision.effect
        == "allowed"
    ]
    who = ", ".join(able) or "nobody"
    return f"beside the owner's role {who} of {len(callers)} callers may schedule a key's deletion"
