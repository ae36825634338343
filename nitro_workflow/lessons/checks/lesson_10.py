"""Lesson 10: a diagnosis is held against the case, a repair is tried for real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from nitro_workflow.lab import CHANGES, Lab
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, takes_blanks
from nitro_workflow.lessons.failures import CAUSES, MOST, CaseScore, Denials
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.unfinished import unfinished
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]

CASES: Final = range(1, 13)


def _asked_in_capitals(lab: Lab) -> str:
    """Ask the engine for the real image, where the Allow shouts its PCR0."""
    bench = lab.bench
    pcrs, role = worlds.image_pcrs(bench), bench.policies.role_arn("instance")
    shouted = {"kms:RecipientAttestation:PCR0": pcrs["PCR0"].upper()}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": shouted},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    asked = worlds.ask_policy(policy, role, worlds.document_of_world(pcrs, "ours"))
    return (
        f"The engine, asked with your image and such an Allow: {worlds.in_words(asked)}. KMS then "
        "says “because no resource-based policy allows”."
    )


class Checks(LessonChecks):
    """Checks of lesson 10; those of the cases, `case_1` to `case_12`, are made below."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "explicit-deny": Truth(
            "an Allow whose PCR0 is in capitals",
            "an Allow that does not fit is no Deny",
            found=_asked_in_capitals,
        ),
    }

    def closed_a(self, denials: Denials, policy: Any) -> Verdict:
        """Put the policy on the key of missing denial A, and try who gets in."""
        return _closed(denials, "A", policy)

    def closed_b(self, denials: Denials, policy: Any) -> Verdict:
        """Put the policy on the key of missing denial B, and try who gets in."""
        return _closed(denials, "B", policy)


def _closed(denials: Denials, letter: str, policy: Any) -> Verdict:
    done = denials.close_denial(letter, policy)
    if done.result == "mended":
        return Verdict.right(done.words)
    return Verdict.wrong(done.words, "Ask the three questions of 06 of the whole policy.")


def _case(name: str) -> Callable[..., Verdict]:
    @takes_blanks
    def check(_: Checks, denials: Denials, cause: Any, change: Any) -> Verdict:
        """Hold a diagnosis against the case, then try the repair."""
        return _diagnosed(denials, name, cause, change)

    return check


for number in CASES:
    setattr(Checks, f"case_{number}", _case(str(number)))


def _diagnosed(denials: Denials, name: str, cause: Any, change: Any) -> Verdict:
    if cause is ...:
        return Verdict.unanswered()
    known = CAUSES.get(cause) if isinstance(cause, str) else None
    if known is None:
        return Verdict.wrong(
            f"{cause!r} is none of the sixteen causes; denials.choices() has them."
        )
    score, right = denials.says(name, cause)
    if not right:
        return Verdict.wrong(
            f"It is not {cause}.",
            f"With it, {known.would}: look with “{known.command}”, and at what else is odd there.",
            _worth(score),
        )
    if unfinished(change):
        return Verdict.right(f"It is {cause}.", f"Now mend it. {_worth(score)}")
    return _mended(denials, name, known.means, change)


def _mended(denials: Denials, name: str, means: str, change: Any) -> Verdict:
    done = denials.repair(name, change)
    if done.result == "mended":
        score = denials.score(name)
        return Verdict.right(f"The cause: {means}.", done.words,
                             f"{score.points} of {MOST} points.")  # fmt: skip
    where = f"What may be changed: {', '.join(CHANGES)}." if done.result == "unusable" else ""
    return Verdict.wrong("The cause is right; the repair is not.", done.words,
                         *([where] if where else []))  # fmt: skip


def _worth(score: CaseScore) -> str:
    return f"The case is worth {score.worth} of {MOST} points."
