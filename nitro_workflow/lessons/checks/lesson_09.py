"""Lesson 09: what an attack uses, how it ends, one written, one let through and stopped again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nitro_workflow.errors import PolicyError
from nitro_workflow.lab import AttackOutcome, Lab, PracticeKey, fresh_document
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.attacks_in_turn import try_in_turn
from nitro_workflow.lessons.checking import LessonChecks, StandIn, takes_blanks
from nitro_workflow.lessons.checks.asked_again import finished_recipient
from nitro_workflow.lessons.checks.attacks_judged import (
    ENDS,
    GUESSED,
    SORTED,
    USES,
    judge,
    means_of,
)
from nitro_workflow.lessons.checks.practice_tries import (
    CONTEXT,
    Asked,
    Tries,
    ask_as_role,
    ask_key,
    put_refused,
)
from nitro_workflow.lessons.lab_bytes import whole
from nitro_workflow.lessons.lesson_views import evidence
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]


def _theft(lab: Lab) -> dict[str, Any]:
    """Return the request of whoever has the role and the encrypted data key, and no enclave."""
    return {
        "KeyId": lab.bench.produced("P1", "key_arn"),
        "CiphertextBlob": whole(lab.bench, "data-key"),
        "EncryptionContext": dict(evidence(lab.bench, "P3")["encryption_context"]),
    }


def _weak(lab: Lab) -> dict[str, Any]:
    """Return a practice policy whose Allow asks for no image, and without the Deny."""
    roles = worlds.callers_of(lab.bench)
    own = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]
    statements = [
        {"Sid": "OwnerAdministers", "Principal": {"AWS": roles["DataOwner"]}, "Action": own},
        {
            "Sid": "DecryptAnywhere",
            "Principal": {"AWS": roles["ParentInstance"]},
            "Action": "kms:Decrypt",
        },
    ]
    everything = {"Effect": "Allow", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [one | everything for one in statements]}


def _is_policy(_: Lab, made: object) -> bool:
    try:
        worlds.policies_of(made)
    except PolicyError:
        return False
    return isinstance(made, Mapping) and isinstance(made.get("Statement"), list)


class Checks(LessonChecks):
    """Checks of lesson 09: what can be tried is tried, and the answers are KMS's own."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "genuine-document": Truth(
            "AccessDenied: nothing allows this caller",
            "a document says which program is to get the answer, not who may ask: the caller needs "
            "an Allow of their own",
        ),
        "own-key": Truth(
            "no: the signature does not fit any more",
            "the public key is inside what the hypervisor signed, and so is every other field",
        ),
        "deny-out": Truth(
            "nobody",
            "the Allow still asks for PCR0, and what no Allow says yes to is refused; the Deny is "
            "the second lock, for the day of the next Allow",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "request": StandIn("request", _theft, lambda lab, made: made == _theft(lab)),
        "weak": StandIn("policy without the condition", _weak, _is_policy),
    }

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self._tried: dict[str, AttackOutcome] = {}

    @takes_blanks
    def means(self, means: Any) -> Verdict:
        """Compare what each attack uses with the party that the list has for it."""
        return judge(means, SORTED, means_of, USES, "{name} is {hint}")

    @takes_blanks
    def outcomes(self, outcomes: Any) -> Verdict:
        """Try each attack that was guessed, once, and compare."""
        guessed = [name for name in GUESSED if outcomes.get(name, ...) is not ...]
        new = [name for name in guessed if name not in self._tried]
        if new:
            self._tried |= dict(zip(new, try_in_turn(self.lab, new), strict=True))
        verdict = judge(
            outcomes, GUESSED, lambda name: self._tried[name].outcome, ENDS, "It was tried. {hint}"
        )
        if verdict.outcome != "right":
            return verdict
        return Verdict.right("All ten, and each was tried.", *map(self._told, GUESSED))

    def _told(self, name: str) -> str:
        one = self._tried[name]
        return f"{name}: {one.outcome}, {one.by}{f'; {one.why}' if one.why else ''}"

    def attempt(self, request: Any) -> Verdict:
        """Call Decrypt with it as the instance's role; then once more, with a document."""
        if "Recipient" in request:
            return Verdict.wrong(
                "With a Recipient the answer is sealed to the enclave: that comes next.",
                "Ask for the key in clear: three members are enough.",
            )
        said = ask_as_role(self.lab, request)
        if said.clear:
            return Verdict.wrong(
                f"{said.clear} bytes in clear: this key has no fence.",
                "Take the workflow's own key: lesson.key_arn().",
            )
        if said.code != "AccessDeniedException":
            return Verdict.wrong(*_other_refusal(said))
        recipient = finished_recipient(fresh_document(self.lab.bench))
        again = ask_as_role(self.lab, {**request, "Recipient": recipient})
        if again.code not in ("", "AccessDeniedException"):
            return Verdict.wrong(*_other_refusal(again))
        if again.code:
            return Verdict.wrong(
                "Refused, but not for the missing document: with a genuine one it is refused, too.",
                "Is the encryption context the one that the data were encrypted with (02)?",
            )
        return Verdict.right(
            "A thief's request, right in all its parts. KMS refused it for one reason: with the "
            "enclave's document the same three were answered just now.",
        )

    def weakened(self, key: PracticeKey, policy: Any) -> Verdict:
        """Put it on the practice key, and have two enclaves and the role ask."""
        if refused := put_refused(key, policy):
            return Verdict.wrong(f"KMS does not take it: {refused}")
        tries = ask_key(self.lab, key)
        if not tries.ours:
            return Verdict.wrong(
                "Tried: your own image is refused, too.",
                "Nobody keeps a policy with which nothing works: weaken it, do not break it.",
            )
        if not tries.open:
            return Verdict.wrong(
                "Tried: both attacks are still refused.", _what_holds(tries.outside.message)
            )
        if strangers := self._strangers(policy):
            return Verdict.wrong(
                f"Too much: {strangers[0]} may decrypt, too.",
                "Leave the Principal as it is: let an attack of somebody who is named succeed.",
            )
        return Verdict.right("The attack works, and it was tried.", *_won(tries))

    def mended(self, key: PracticeKey, policy: Any) -> Verdict:
        """Put it on the practice key, and have the same three ask again."""
        if refused := put_refused(key, policy):
            return Verdict.wrong(f"KMS does not take it: {refused}")
        tries = ask_key(self.lab, key)
        if tries.outside.clear:
            return Verdict.wrong(
                "Tried: the role still gets the key, without an enclave.",
                "Does your statement apply where the request has no PCR0 at all?",
            )
        if tries.other:
            return Verdict.wrong(
                "Tried: an enclave with another image still gets the key.",
                "It has your kernel, so your PCR1. Which PCR covers the whole image?",
            )
        if not tries.ours:
            return Verdict.wrong("Tried: your own image is refused, too.", "Whom do you deny?")
        return Verdict.right(
            "Tried: both attacks are refused, your image has its key, and the weak line is still "
            "there. One Deny made it harmless."
        )

    def _strangers(self, policy: Any) -> list[str]:
        """Return who else may decrypt without a document, of those that worlds knows."""
        asked = {f"kms:EncryptionContext:{name}": value for name, value in CONTEXT.items()}
        return [
            name
            for name, arn in worlds.callers_of(self.lab.bench).items()
            if name != "ParentInstance"
            and worlds.ask_policy(policy, arn, {}, context=asked).decision.effect == "allowed"
        ]


def _won(tries: Tries) -> list[str]:
    clear = f"Whoever has the role got {tries.outside.clear} bytes in clear, without an enclave."
    other = "An enclave with another image opened the data key."
    ways = ((clear, tries.outside.clear), (other, tries.other))
    return [told for told, works in ways if works]


def _what_holds(message: str) -> str:
    """Return which lock a refusal speaks of."""
    if "explicit deny" in message:
        return "The Deny still stands in the way: for which requests does it apply?"
    return "No Allow says yes yet: what does yours still ask for?"


def _other_refusal(said: Asked) -> tuple[str, ...]:
    if said.code == "ParamValidationError":
        return (
            "boto3 does not send it.",
            "Three members: KeyId, a text; CiphertextBlob, bytes; EncryptionContext, a dict.",
        )
    if said.sealed:
        return ("KMS answered with an envelope.", "Leave the Recipient out.")
    return (
        f"KMS said {said.code}{f': {said.message:.120}' if said.message else ''}.",
        "Are key, ciphertext and context those of 02?",
    )
