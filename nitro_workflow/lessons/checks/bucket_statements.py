"""What is said to a statement of a bucket policy: by whom it lets do what, with which object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.lessons.worlds import policies_of
from nitro_workflow.policy import (
    Policies,
    Principal,
    Request,
    RequestContext,
    evaluate,
    parse_policy,
)

__all__ = ["PREFIX", "Reading", "judge_reading"]

PREFIX: Final = "practice/1/"
_FIELDS: Final = ("Effect", "Principal", "Action", "Resource", "Condition")


@dataclass(frozen=True, slots=True)
class Reading:
    """Who is to read from where: the reader's ARN, the bucket, the account that owns it."""

    reader: str
    bucket: str
    owner_account: str

    def finished(self) -> dict[str, Any]:
        """Return a statement that lets the reader get the objects under `PREFIX`, over TLS."""
        return {
            "Sid": "ReaderGetsTheCiphertext",
            "Effect": "Allow",
            "Principal": {"AWS": self.reader},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.bucket}/{PREFIX}*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        }

    def allows(
        self,
        statement: Any,
        *,
        caller: str = "",
        action: str = "s3:GetObject",
        key: str = f"{PREFIX}data-key",
        tls: bool = True,
    ) -> bool:
        """Ask the engine; every caller's own IAM policy says yes. Raises `PolicyError`."""
        request = Request(
            Principal.parse(caller or self.reader),
            action,
            f"arn:aws:s3:::{self.bucket}{f'/{key}' if key else ''}",
            self.owner_account,
            RequestContext.what_if({"aws:SecureTransport": tls}),
        )
        return evaluate(request, _asked(statement)).effect == "allowed"


def judge_reading(statement: Any, asked: Reading) -> Verdict:
    """Say what a statement does with requests that nobody thought of."""
    if not asked.allows(statement):
        return Verdict.wrong("The reader stays out.", *_why_out(statement, asked))
    for wrong in _too_much(statement, asked):
        return wrong
    return Verdict.right(
        "The reader gets what lies under this prefix, over TLS; "
        "nobody else does, and the reader does nothing else."
    )


def _asked(statement: Any) -> Policies:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assumed = parse_policy(
        {"Version": "2012-10-17", "Statement": [everything]}, kind="identity", name="assumed"
    )
    return Policies(resource=policies_of(statement).resource, identity=(assumed,))


def _why_out(statement: Mapping[str, Any], asked: Reading) -> Iterator[str]:
    """Name the one field that keeps the reader out, if it is one."""
    finished = asked.finished()
    for field in _FIELDS:
        if asked.allows({**statement, field: finished[field]}):
            yield f"Look at {field}: {_LOOK[field]}"
            return
    yield "More than one field keeps them out: begin with Principal."


_LOOK: Final = {
    "Effect": "what is not allowed is denied.",
    "Principal": 'a role is named by its ARN, as {"AWS": reader.arn}.',
    "Action": "S3 calls it s3:GetObject.",
    "Resource": "objects are arn:aws:s3:::bucket/key, with a star for the rest of the key.",
    "Condition": 'aws:SecureTransport is "true" over TLS, and Bool compares it.',
}


def _too_much(statement: Any, asked: Reading) -> Iterator[Verdict]:
    account = asked.reader.split(":")[4]
    if asked.allows(statement, caller="arn:aws:iam::999988887777:role/Stranger"):
        yield Verdict.wrong(
            "Everybody gets in, from any account.",
            "Who is to read?",
            witness="a role of the account 999988887777",
        )
    if asked.allows(statement, caller=f"arn:aws:iam::{account}:role/ParentAdministrator"):
        yield Verdict.wrong(
            "Every role of that account gets in that its own account lets: you named the account.",
            "Name the role.",
            witness="ParentAdministrator",
        )
    if asked.allows(statement, tls=False):
        yield Verdict.wrong(
            "It is read without TLS, too.",
            'A Condition: Bool, "aws:SecureTransport", "true".',
            witness="GetObject over http",
        )
    for key, said in (
        ("customers/1/customers.csv.esdk", "The whole bucket is open to the reader."),
        ("practice/10/data-key", "practice/10/ is open, too: a prefix is text, end it with /."),
    ):
        if asked.allows(statement, key=key):
            yield Verdict.wrong(said, "Look at Resource.", witness=key)
    for action, key in (
        ("s3:PutObject", f"{PREFIX}data-key"),
        ("s3:DeleteObject", f"{PREFIX}data-key"),
        ("s3:GetObjectTagging", f"{PREFIX}data-key"),
        ("s3:ListBucket", ""),
    ):
        if asked.allows(statement, action=action, key=key):
            yield Verdict.wrong(f"The reader may also {action}.", "Look at Action.", witness=action)
