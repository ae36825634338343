"""Lesson 03: what the store sees, a read across accounts, a version that came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from enclave_image.owner import COLUMNS
from nitro_workflow.errors import PolicyError
from nitro_workflow.lab import Lab
from nitro_workflow.lessons.checking import LessonChecks, StandIn, marks
from nitro_workflow.lessons.checks.bucket_statements import PREFIX, Reading, judge_reading
from nitro_workflow.lessons.lab_bytes import beginning, whole
from nitro_workflow.lessons.lesson_views import evidence
from nitro_workflow.lessons.practice_reader import reader_arn
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]

_LOOKED_AT: Final = 64 * 1024


def _reading(lab: Lab) -> Reading:
    return Reading(
        reader_arn(lab), lab.bench.produced("P4", "bucket"), lab.bench.cloud.accounts.data
    )


def _is_right(lab: Lab, made: object) -> bool:
    """Tell whether the cells below can put it, and the reader then reads."""
    try:
        return judge_reading(made, _reading(lab)).outcome == "right"
    except (PolicyError, TypeError, ValueError, LookupError, AttributeError):
        return False


class Checks(LessonChecks):
    """Checks of lesson 03: they look into the objects, and ask the policy engine."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "whose-consent": Truth(
            "both", "across accounts the bucket policy and the caller's own policy must both allow"
        ),
        "iam-side-gone": Truth(
            "refused: no identity-based policy allows",
            "the bucket's owner cannot give away what the caller's own account does not let "
            "its role do",
        ),
        "presigned": Truth(
            "whoever has the URL, as the owner",
            "the signature in it is the owner's: no policy is asked about the one who sends it",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "statement": StandIn("statement", lambda lab: _reading(lab).finished(), _is_right),
    }

    def sees(self, sees: Any) -> Verdict:
        """Look for each thing in the objects, and ask KMS for what is not there."""
        said = {name: _yes(sees[name]) for name in _SIGHTS}
        for name, answer in said.items():
            if answer is None:
                return Verdict.wrong(f"{name}: {sees[name]!r} is neither yes nor no.")
        found = {name: look(self.lab) for name, (look, _) in _SIGHTS.items()}
        wrong = [name for name in _SIGHTS if said[name] != found[name]]
        if not wrong:
            return Verdict.right("Looked for in the object's bytes and in its head: so it is.")
        return Verdict.wrong(
            f"{wrong[0]}: S3 {'has' if found[wrong[0]] else 'does not have'} that.",
            _SIGHTS[wrong[0]][1],
            *([f"Still to look at: {', '.join(wrong[1:])}."] if wrong[1:] else []),
        )

    def statement(self, statement: Any) -> Verdict:
        """Ask the statement with other callers, objects, actions, and without TLS."""
        return judge_reading(statement, _reading(self.lab))

    def first(self, first: Any, newest: Any) -> Verdict:
        """Compare what was read with what was put first."""
        made = first.read() if hasattr(first, "read") else first
        if isinstance(made, Mapping):
            return Verdict.wrong("That is the whole answer.", 'Its bytes: ["Body"].read().')
        if made == _oldest(self.lab):
            return Verdict.right(
                "The bytes as they were first put: nothing was lost, and nothing hides that "
                "they were replaced."
            )
        if made == newest:
            return Verdict.wrong("Those are the newest bytes.", "Name a VersionId.")
        if made == b"":
            return Verdict.wrong("Nothing: a Body is read once only.", "Get the object again.")
        return Verdict.wrong("Those bytes are no version of it.", "Which VersionId came first?")

    @marks("whose-consent", "iam-side-gone")
    def consents(self, consents: Any) -> Verdict:
        """Ask the engine who must agree, with either consent taken away."""
        wanted = {"same account": 1, "other account": 2}
        wrong = [name for name in wanted if consents[name] != wanted[name]]
        if wrong == []:
            return Verdict.right(
                "Within one account one of the two is enough; across accounts it takes both."
            )
        return Verdict.wrong(
            f"{wrong[0]}: another number.",
            "Who said no in the last two refusals, and in which policy?"
            if wrong[0] == "other account"
            else "The owner read its own bucket: which bucket policy named the owner?",
        )


# -- what S3 has ---------------------------------------------------------------------------------


def _yes(said: object) -> bool | None:
    return {"yes": True, "no": False, "true": True, "false": False}.get(str(said).strip().lower())


def _oldest(lab: Lab) -> bytes:
    """Return the practice object as it was first put."""
    s3 = lab.bench.parties.session("owner").client("s3")
    where = {"Bucket": lab.bench.produced("P4", "bucket"), "Key": f"{PREFIX}data-key"}
    listed = s3.list_object_versions(Bucket=where["Bucket"], Prefix=where["Key"])["Versions"]
    answer = s3.get_object(**where, VersionId=listed[-1]["VersionId"])
    return bytes(answer["Body"].read())


def _has(lab: Lab, part: bytes) -> bool:
    data, _ = beginning(lab.bench, "message", _LOOKED_AT)
    return part in data


def _size(lab: Lab) -> bool:
    put = lab.bench.produced("P4", "objects")["customers.csv.esdk"]
    s3 = lab.bench.parties.session("owner").client("s3")
    head = s3.head_object(
        Bucket=lab.bench.produced("P4", "bucket"), Key=put["key"], VersionId=put["version_id"]
    )
    return bool(head["ContentLength"] == put["bytes"])


def _opens(lab: Lab) -> bool:
    """Ask KMS, as the owner, for the key of what lies in the bucket."""
    from botocore.exceptions import ClientError

    kms = lab.bench.parties.session("owner").client("kms")
    context = evidence(lab.bench, "P3")["encryption_context"]
    try:
        kms.decrypt(CiphertextBlob=whole(lab.bench, "data-key"), EncryptionContext=dict(context))
    except ClientError:
        return False
    return True


_SIGHTS: Final[Mapping[str, tuple[Callable[[Lab], bool], str]]] = {
    "the rows": (
        lambda lab: _has(lab, ",".join(COLUMNS).encode()),
        "Look for the first line of the file in the object's bytes.",
    ),
    "how many bytes": (_size, "What does head_object answer?"),
    "data set and version": (
        lambda lab: _has(lab, b"dataset"),
        "The context stands in the message's header, as you saw in 02: in clear?",
    ),
    "whose KMS key opens it": (
        lambda lab: _has(lab, lab.bench.produced("P1", "key_arn").encode()),
        "Beside the encrypted data key stands its ARN.",
    ),
    "the plain data key": (
        _opens,
        "Only KMS could open the encrypted one: KMS was asked just now.",
    ),
}
