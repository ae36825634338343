"""Lesson 11: roll-out, signature, rotation, revocation, trail, clocks, alarms, a TPM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from nitro_workflow.lab import PracticeKey
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, marks
from nitro_workflow.lessons.checks.event_pattern import matches, require_pattern
from nitro_workflow.lessons.checks.practice_tries import put_refused
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]

OLD, NEW, SIGNED = "practice-before.eif", "practice.eif", "practice-signed.eif"

STEPS: Final = ("policy: both", "start new", "end old", "policy: new only")
BEHIND: Final = -20 * 60  # seconds: what the notebook sets the clock by
EXACT: Final = 5  # seconds that the call itself may take

_ALARMED: Final = ("PutKeyPolicy", "ScheduleKeyDeletion", "DisableKey", "CreateGrant")
_DAILY: Final = ("Decrypt", "GenerateDataKey", "DescribeKey")


class Checks(LessonChecks):
    """Checks of lesson 11."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "policy-first": Truth(
            "the old enclaves are refused until the new ones run",
            "the old PCR0 is in no Allow and under the Deny from the moment the policy changes",
        ),
        "sign-pcr0": Truth(
            "PCR8 only",
            "the signature is a section of its own: no PCR measures it but PCR8, which measures "
            "its certificate",
        ),
        "rotate": Truth(
            "the old material, which KMS keeps",
            "a ciphertext names the material it was made with, and rotation takes none away",
        ),
        "revoke": Truth(
            "yes: it has the key in memory",
            "KMS is asked once, for the data key; nobody asks KMS when the file is read",
        ),
        "break-glass": Truth(
            "a second role that may put a policy, with an alarm on that call",
            "it opens nothing by itself, leaves a record before anything is read, and can be taken "
            "back; a standing exception is a door every day of the year",
        ),
    }

    @marks("policy-first")
    def order(self, order: Any) -> Verdict:
        """Walk through the steps: whatever runs must be let in, and something must run."""
        if sorted(map(str, order)) != sorted(STEPS):
            return Verdict.wrong(f"Each of the four steps once: {', '.join(STEPS)}.")
        gap = find_gap(order)
        if gap:
            return Verdict.wrong(f"After “{gap[0]}” there is a gap: {gap[1]}.")
        return Verdict.right("At every moment something runs, and whatever runs is let in.")

    def both(self, key: PracticeKey, policy: Any) -> Verdict:
        """Put the policy, and have both releases, and a request without a document, ask."""
        if refused := put_refused(key, policy):
            return Verdict.wrong(f"KMS does not take it: {refused}")
        for image, name in ((OLD, "release 1"), (NEW, "release 2")):
            if not key.ask(image).has_key:
                return Verdict.wrong(f"Tried: {name} is refused under it.",
                                     "One operator, one key, a list of two values: in the Allow "
                                     "and in the Deny.")  # fmt: skip
        if key.ask(attested=False).has_key:
            return Verdict.wrong("Tried: a request without a document gets the key.",
                                 "Where is the Deny?")  # fmt: skip
        return Verdict.right("Tried: both releases have the key; without a document it is refused.")

    @marks("sign-pcr0")
    def pcr8(self, key: PracticeKey, value: Any) -> Verdict:
        """Compare with what the image tool measures for the signed image."""
        measured = key.images[SIGNED]["PCR8"]
        text = value.hex() if isinstance(value, bytes) else str(value).lower()
        if text == measured:
            return Verdict.right("That is the signed image's PCR8. A policy may name it.")
        if len(text) != len(measured):
            return Verdict.wrong(f"{len(text)} characters; a PCR has {len(measured)} hex digits.",
                                 "SHA-384 gives 48 bytes.")  # fmt: skip
        return Verdict.wrong("Not the signed image's PCR8.",
                             "Extend it: SHA-384 of 48 zero bytes and the SHA-384 of the "
                             "certificate's DER.")  # fmt: skip

    @marks("rotate")
    def rotated(self, answers: Any) -> Verdict:
        """Compare with what a rotation re-encrypts: nothing that exists."""
        return _compared(answers, {
            "tomorrow's data key": (True, "what is encrypted from now on uses the new material"),
            "yesterday's data key": (False, "its blob stays as it is, under the old material"),
            "the file in S3": (False, "it is under its data key; KMS has never seen it"),
        })  # fmt: skip

    @marks("revoke")
    def recalled(self, answers: Any) -> Verdict:
        """Compare with what a changed policy stops."""
        return _compared(answers, {
            "the next Decrypt": (True, "it was refused just now"),
            "a data key open in an enclave": (False, "nobody asks KMS again for it"),
            "a result already delivered": (False, "it is with its reader"),
            "a grant made before": (True, "the Deny counts against grants, too"),
        })  # fmt: skip

    def hexadecimal(self, key: PracticeKey, value: Any) -> Verdict:
        """Compare with the PCR0 of the image that asked."""
        wanted = key.images[NEW]["PCR0"]
        text = value.hex() if isinstance(value, bytes) else str(value)
        if text == wanted:
            return Verdict.right("So it is release 2: KMS saw the PCR0 that the image measures to.")
        if text.lower() == wanted:
            return Verdict.wrong("Right, in capitals. KMS wants them in lower case.")
        if len(text) == 64:
            return Verdict.wrong("These are the 64 characters of base64; a policy wants 96 digits.")
        return Verdict.wrong(f"{len(text)} characters, not the 96 that release 2 measures to.",
                             "base64.b64decode gives 48 bytes; .hex() writes them.")  # fmt: skip

    def offset(self, seconds: Any) -> Verdict:
        """Compare with how far the clock was set off."""
        off = float(seconds)
        if abs(off - BEHIND) <= EXACT:
            return Verdict.right(f"{off:.0f} s: the clock is behind. The document told, which the "
                                 "hypervisor dates; the parent was not asked.")  # fmt: skip
        if abs(off + BEHIND) <= EXACT:
            return Verdict.wrong("The right size, the wrong sign: the clock less the document.")
        return Verdict.wrong(f"{off:.0f} s.", "Both times as datetime.fromisoformat reads them; "
                             "the clock less the document, total_seconds().")  # fmt: skip

    def alarm(self, pattern: Any) -> Verdict:
        """Let the pattern see events of the practice key: those to tell of, those of every day."""
        require_pattern(pattern)
        missed = [name for name in _ALARMED if not matches(pattern, _event(name))]
        if missed:
            return Verdict.wrong(
                f"No alarm at {', '.join(missed)}.",
                *([_named_otherwise(pattern)] if len(missed) == len(_ALARMED) else []),
                witness=f"kms:{missed[0]}",
            )
        noise = [name for name in _DAILY if matches(pattern, _event(name))]
        if noise:
            return Verdict.wrong(f"It rings at {noise[0]}, a thousand times a day.",
                                 "Nobody reads that: name calls that change who may.")  # fmt: skip
        other = _event("PutKeyPolicy") | {"source": "aws.s3"}
        if matches(pattern, other):
            return Verdict.right("It rings when it should.",
                                 "Name the source, too: others have such calls.")  # fmt: skip
        return Verdict.right("It rings at the four calls that change who may, and at no other.")

    @marks("break-glass")
    def glass(self, seen: Any) -> Verdict:
        """Take whether the learner has read what the emergency leaves behind."""
        wanted = ["PutKeyPolicy", "Decrypt", "PutKeyPolicy"]
        if list(seen) == wanted:
            return Verdict.right("Three records: opened, used, closed. The first one rings.")
        return Verdict.wrong(
            f"{len(list(seen))} calls; an emergency that ends has three, oldest first.",
            "The door is opened, somebody goes through, it is closed.",
        )

    def tpm(self, condition: Any) -> Verdict:
        """Ask the engine with four documents: the instance's, two others, an enclave's."""
        role = self.lab.bench.policies.role_arn("instance")
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": condition,
        }
        inside = {name: _asked(statement, role, keys) for name, keys in tpm_documents().items()}
        if not inside.pop("the attestable AMI"):
            return Verdict.wrong("The attestable AMI itself stays out.",
                                 "kms:RecipientAttestation:NitroTPMPCR4 and …PCR12, with the "
                                 "reference measurements.")  # fmt: skip
        if hole := next((name for name, let_in in inside.items() if let_in), ""):
            return Verdict.wrong(f"{hole[0].upper()}{hole[1:]} gets in, too.",
                                 "Standard boot needs both: PCR4 for the boot binary, PCR12 for "
                                 "its command line.")  # fmt: skip
        return Verdict.right("The attestable AMI gets in; another command line, another AMI and "
                             "an enclave stay out.")  # fmt: skip


REFERENCE: Final = {"NitroTPMPCR4": "4a" * 48, "NitroTPMPCR12": "c1" * 48}
"""What `nitro-tpm-pcr-compute` would print for an AMI: made up, the notebook says so."""


def tpm_documents() -> dict[str, dict[str, str]]:
    """Return four documents, as condition keys without their prefix."""
    other = "00" * 48
    return {
        "the attestable AMI": REFERENCE,
        "the same AMI with another command line": {**REFERENCE, "NitroTPMPCR12": other},
        "another AMI": {"NitroTPMPCR4": other, "NitroTPMPCR12": other},
        "an enclave": {"PCR0": "4a" * 48, "PCR4": REFERENCE["NitroTPMPCR4"]},
        "a request without a document": {},
    }


def find_gap(order: Sequence[str]) -> tuple[str, str] | None:
    """Return the step after which something is refused or nothing runs, and what; None for none."""
    allowed, running = {"the old image"}, {"the old image"}
    for step in order:
        if step == "policy: both":
            allowed = {"the old image", "the new image"}
        elif step == "policy: new only":
            allowed = {"the new image"}
        elif step == "start new":
            running = running | {"the new image"}
        else:
            running = running - {"the old image"}
        if refused := sorted(running - allowed):
            return step, f"{refused[0]} runs, and the policy does not let it in"
        if not running:
            return step, "nothing runs"
    return None if allowed == running else (order[-1], "the policy still lets the old image in")


def _compared(answers: Any, true: Mapping[str, tuple[bool, str]]) -> Verdict:
    unknown = sorted(set(true) - set(answers))
    if unknown:
        return Verdict.wrong(f"Missing: {', '.join(unknown)}.")
    wrong = [name for name, (answer, _) in true.items() if answers[name] is not answer]
    if wrong:
        return Verdict.wrong(f"{len(true) - len(wrong)} of {len(true)}. Look at “{wrong[0]}”: "
                             f"{true[wrong[0]][1]}.")  # fmt: skip
    return Verdict.right(
        *(f"{name[0].upper()}{name[1:]}: {why}." for name, (_, why) in true.items())
    )


def _named_otherwise(pattern: Mapping[str, Any]) -> str:
    """Return which field of the event the pattern names otherwise; "detail" where both fit."""
    event = _event(_ALARMED[0])
    fields = [name for name in pattern if not matches({name: pattern[name]}, event)]
    odd = next((name for name in ("source", "detail-type") if name in fields), "detail")
    if odd == "detail":
        return 'Under "detail" stands "eventName": a list of calls, without kms: before them.'
    return f"Of a KMS call {odd} is “{event[odd]}”."


def _event(name: str) -> dict[str, Any]:
    """Return what EventBridge hands on of a KMS call that CloudTrail recorded."""
    detail = {"eventSource": "kms.amazonaws.com", "eventName": name, "eventType": "AwsApiCall"}
    return {"source": "aws.kms", "detail-type": "AWS API Call via CloudTrail", "detail": detail}


def _asked(statement: Mapping[str, Any], role: str, document: Mapping[str, str]) -> bool:
    return worlds.ask_policy(statement, role, document).decision.effect == "allowed"
