"""The four identities of the workflow, each a boto3 session that can only reach the lab's cloud.

The lab's operator (the person at the keyboard) makes the roles once, then takes them by AssumeRole,
as a person does on AWS. Roles that are given are neither made nor changed. What a party's session
may reach is the cloud's to say: a poisoned environment cannot send a request anywhere else.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import UsageError
from nitro_workflow.lab.call_record import CallRecorder
from nitro_workflow.lab.lab_folder import save
from nitro_workflow.lab.party_policies import PARTIES, PartyPolicies

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import boto3

    from nitro_workflow.cloud import Cloud, Observe

__all__ = ["Parties", "Party"]

_TITLES: Final = {
    "owner": "data owner",
    "developer": "application developer",
    "administrator": "parent administrator",
    "instance": "parent instance",
}


@dataclass(frozen=True, slots=True)
class Party:
    """One of the four: ``name`` in code, ``title`` for people, ``role_arn`` for the cloud."""

    name: str
    title: str
    account: str
    role_arn: str
    may: str
    may_not: str


_MAY: Final = {
    "owner": (
        "administer the key and its policy, GenerateDataKey, put and get objects",
        "Decrypt, CreateGrant, ReEncrypt",
    ),
    "developer": ("build, sign and publish images", "anything with the key"),
    "administrator": (
        "run and stop the instance and its enclaves",
        "anything with the key or its policy; become the owner; change roles",
    ),
    "instance": (
        "Decrypt with the enclave's PCRs and the expected context; get the ciphertext",
        "Decrypt otherwise; everything else",
    ),
}


class Parties:
    """Sessions for the parties of one lab. ``mark``: a file that says which roles were made.

    ::

        lab.bench.parties.session("owner").client("sts").get_caller_identity()["Arn"]
        # 'arn:aws:sts::111122223333:assumed-role/DataOwner/nitro-workflow'
    """

    def __init__(self, cloud: Cloud, mark: Path) -> None:
        self._cloud = cloud
        self._mark = mark
        self.observe: Observe | None = None
        """Sees each request of a party, as it is about to be sent."""
        self.calls = CallRecorder()
        """Takes every call of a party: for the step that is running."""
        self._sessions: dict[str, boto3.Session] = {}

    @functools.cached_property
    def policies(self) -> PartyPolicies:
        """Return the policies' texts. On AWS they need the operators' accounts: see `Cloud`."""
        return PartyPolicies.of(self._cloud)

    def all(self) -> tuple[Party, ...]:
        """Return the four parties with what each may and may not do."""
        texts = self.policies
        return tuple(
            Party(name, title, texts.account(name), texts.role_arn(name), *_MAY[name])
            for name, title in _TITLES.items()
        )

    def session(self, party: str) -> boto3.Session:
        """Return the party's session; raises `UsageError` for an unknown party."""
        if party not in PARTIES:
            raise UsageError(
                f"no party {party!r}",
                expected=", ".join(_TITLES),
                where="party",
                next="name one of these",
            )
        if party == "instance":
            raise UsageError(
                "the instance's credentials are in the instance",
                expected="owner, developer or administrator",
                where="party",
                next="`attacks.instance_session` shows how an administrator takes them",
            )
        if party not in self._sessions:
            self.ensure()
            account, role = self.policies.account(party), self.policies.role_arn(party)
            made = self._cloud.session(account, role, party=party, observe=self._tell)
            self.calls.watch(_TITLES[party], made.events)
            self._sessions[party] = made
        return self._sessions[party]

    def operator(self, account: str) -> boto3.Session:
        """Return the session of the person at the keyboard, who sets the roles up."""
        return self._cloud.operator(account)

    def ensure(self) -> None:
        """Make the roles, their policies and the instance profile where this cloud lacks them.

        What was made is marked beside the cloud's state: a later process need not ask again.
        """
        texts = self._texts()
        digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
        if self._mark.exists() and self._mark.read_text() == digest:
            return
        for party, (trust, permissions) in texts.items():
            if f"role-{party}" not in self._cloud.names.given:
                self._ensure_role(party, trust, permissions)
        self._ensure_profile()
        save(self._mark, digest.encode())

    def _ensure_role(
        self, party: str, trust: Mapping[str, Any], permissions: Mapping[str, Any]
    ) -> None:
        iam = self.operator(self.policies.account(party)).client("iam")
        role = self.policies.role_name(party)
        _unless(iam, "EntityAlreadyExists", "create_role", RoleName=role,
                AssumeRolePolicyDocument=json.dumps(trust),
                Description=_TITLES[party], **self._tags)  # fmt: skip
        iam.put_role_policy(
            RoleName=role, PolicyName="nitro-workflow", PolicyDocument=json.dumps(permissions)
        )

    @property
    def _tags(self) -> dict[str, Any]:
        """Return IAM's parameter for the tags that everything of this lab has, if any."""
        tags = [{"Key": key, "Value": value} for key, value in self._cloud.tags.items()]
        return {"Tags": tags} if tags else {}

    def _tell(self, party: str, event_name: str, request: Any) -> None:
        if self.observe is not None:
            self.observe(party, event_name, request)

    def _ensure_profile(self) -> None:
        iam = self.operator(self.policies.account("instance")).client("iam")
        profile = self._cloud.names.instance_profile
        exists, role = "EntityAlreadyExists", self.policies.role_name("instance")
        _unless(iam, exists, "create_instance_profile", InstanceProfileName=profile, **self._tags)
        _unless(iam, "LimitExceeded", "add_role_to_instance_profile",
                InstanceProfileName=profile, RoleName=role)  # fmt: skip

    def _texts(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Return each role's trust policy and identity policy."""
        policies = self.policies
        return {
            party: (
                policies.trust_policy(party, self._cloud.operator_arn(policies.account(party))),
                policies.identity_policy(party),
            )
            for party in PARTIES
        }


def _unless(client: Any, code: str, operation: str, **parameters: Any) -> None:
    """Call; the one error that says it is there already counts as done."""
    from botocore.exceptions import ClientError

    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        if error_code(error) not in (code, f"{code}Exception"):
            raise
