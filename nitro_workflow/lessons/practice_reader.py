"""A role of the other account to practise with: what the instance's role may read, it may.

The instance's own credentials come with the instance, in lesson 07. This role has the same IAM
policy for the owner's bucket; nothing of the workflow rests on it, and so both of its consents can
be given and taken away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab import Lab

__all__ = ["READER", "PracticeReader", "open_reader", "reader_arn"]

READER: Final = "PracticeReader"
_POLICY: Final = "read-the-ciphertext"


@dataclass(frozen=True, slots=True)
class PracticeReader:
    """``iam`` is a boto3 client of whoever administers the other account's IAM.

    ``permissions`` is the role's IAM policy, kept under ``policy_name``: that account's consent.
    """

    name: str
    arn: str
    policy_name: str
    permissions: Mapping[str, Any]
    iam: Any = field(repr=False)
    _session: Any = field(repr=False)

    def client(self, service: str) -> Any:
        """Return a boto3 client that signs as this role."""
        return self._session.client(service)


def reader_arn(lab: Lab) -> str:
    """Return the ARN of the role, whether it was made or not."""
    return f"arn:aws:iam::{lab.bench.policies.account('instance')}:role/{READER}"


def open_reader(lab: Lab) -> PracticeReader:
    """Return the role, made where it is missing, with its IAM policy as it was at first.

    Raises `UsageError` on AWS: there no role is made for practice.
    """
    bench = lab.bench
    cloud, account = bench.cloud, bench.policies.account("instance")
    if cloud.kind == "aws":
        raise UsageError(
            "a lab on AWS",
            expected="this machine's own cloud: nothing is made on AWS for practice",
            where="lesson.practice_reader",
            next="open this lesson in a lab on this machine",
        )
    iam = cloud.operator(account).client("iam")
    trust = bench.policies.trust_policy("administrator", cloud.operator_arn(account))
    _ensure_role(iam, trust)
    own = bench.policies.identity_policy("instance")
    statements = [one for one in own["Statement"] if one["Sid"] == "GetTheCiphertext"]
    permissions = own | {"Statement": statements}
    iam.put_role_policy(RoleName=READER, PolicyName=_POLICY, PolicyDocument=json.dumps(permissions))
    arn = reader_arn(lab)
    session = cloud.session(account, arn, party="practice reader")
    return PracticeReader(READER, arn, _POLICY, permissions, iam, session)


def _ensure_role(iam: Any, trust: Mapping[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        iam.create_role(RoleName=READER, AssumeRolePolicyDocument=json.dumps(trust))
    except ClientError as error:
        if error_code(error) != "EntityAlreadyExists":
            raise
