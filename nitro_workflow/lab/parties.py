"""The four identities of the workflow, each a boto3 session that can only reach the lab's cloud.

The lab's operator (the person at the keyboard) makes the roles once, then takes them by AssumeRole,
as a person does on AWS. Nothing here reads the environment, a profile, a proxy or the instance
metadata of the machine: a poisoned environment cannot send a request anywhere else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import isolated_session
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.lab import party_policies
from nitro_workflow.lab.lab_folder import read_json, write_atomically

if TYPE_CHECKING:
    import boto3

    from nitro_workflow.cloud import Endpoint, Observe
from nitro_workflow.lab.processes.background import Processes

__all__ = ["INSTANCE_PROFILE", "Parties", "Party", "bucket_name"]

OPERATOR: Final = "operator"
INSTANCE_PROFILE: Final = "ParentInstance"

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

PARTIES: Final = tuple(
    Party(name, title, party_policies.ROLES[name][0], party_policies.role_arn(name), *_MAY[name])
    for name, title in _TITLES.items()
)


def bucket_name() -> str:
    """Return the name of the data owner's bucket."""
    return f"nitro-workflow-data-{party_policies.DATA_ACCOUNT}"


class Parties:
    """Sessions for the parties of one lab.

    >>> lab.parties.session("owner").client("sts").get_caller_identity()["Arn"]  # doctest: +SKIP
    'arn:aws:sts::111122223333:assumed-role/DataOwner/nitro-workflow'
    """

    def __init__(self, processes: Processes, observe: Observe | None = None) -> None:
        self._processes = processes
        self._observe = observe
        self._sessions: dict[str, boto3.Session] = {}

    @staticmethod
    def all() -> tuple[Party, ...]:
        """Return the four parties with what each may and may not do."""
        return PARTIES

    def session(self, party: str) -> boto3.Session:
        """Return the party's session; raises `UsageError` for an unknown party."""
        if party not in party_policies.ROLES:
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
                next="`refusals.instance_session` shows how an administrator takes them",
            )
        if party not in self._sessions:
            self.ensure()
            self._sessions[party] = self._assume(party)
        return self._sessions[party]

    def operator(self, account: str) -> boto3.Session:
        """Return the session of the person at the keyboard, who sets the roles up."""
        keys = self._credentials().get(account)
        if not keys:
            raise LabError(
                f"no credentials for account {account}",
                expected="the keys that the cloud made at its first start",
                where="cloud/credentials.json",
                next="`nitro-workflow down`, then name a new folder with --lab",
            )
        return isolated_session(self._endpoint, keys, party="operator", observe=None)

    def ensure(self) -> None:
        """Make the roles, their policies and the instance profile where this cloud lacks them.

        What was made is marked beside the cloud's state: a later process need not ask again.
        """
        mark = self._processes.folder.path / "cloud" / "roles-made"
        digest = hashlib.sha256(json.dumps(_texts()).encode()).hexdigest()
        if mark.exists() and mark.read_text() == digest:
            return
        for party, (trust, permissions) in _texts().items():
            account, name = party_policies.ROLES[party]
            iam = self.operator(account).client("iam")
            _unless(iam, "EntityAlreadyExists", "create_role", RoleName=name,
                    AssumeRolePolicyDocument=json.dumps(trust),
                    Description=_TITLES[party])  # fmt: skip
            iam.put_role_policy(
                RoleName=name, PolicyName="nitro-workflow", PolicyDocument=json.dumps(permissions)
            )
        self._ensure_profile()
        write_atomically(mark, digest.encode())

    def _ensure_profile(self) -> None:
        iam = self.operator(party_policies.COMPUTE_ACCOUNT).client("iam")
        exists = "EntityAlreadyExists"
        _unless(iam, exists, "create_instance_profile", InstanceProfileName=INSTANCE_PROFILE)
        role = party_policies.ROLES["instance"][1]
        _unless(iam, "LimitExceeded", "add_role_to_instance_profile",
                InstanceProfileName=INSTANCE_PROFILE, RoleName=role)  # fmt: skip

    def _assume(self, party: str) -> boto3.Session:
        account, _ = party_policies.ROLES[party]
        sts = self.operator(account).client("sts")

        def refresh() -> dict[str, str]:
            answer = sts.assume_role(
                RoleArn=party_policies.role_arn(party), RoleSessionName="nitro-workflow"
            )
            keys = answer["Credentials"]
            return {
                "access_key": keys["AccessKeyId"],
                "secret_key": keys["SecretAccessKey"],
                "token": keys["SessionToken"],
                "expiry_time": keys["Expiration"].isoformat(),
            }

        return isolated_session(self._endpoint, refresh, party=party, observe=self._observe)

    def _endpoint(self) -> Endpoint:
        return self._processes.endpoint()

    def _credentials(self) -> dict[str, Any]:
        return read_json(self._processes.folder.path / "cloud" / "credentials.json")


def _texts() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return each role's trust policy and identity policy."""
    return {
        party: (
            party_policies.trust_policy(party, f"arn:aws:iam::{account}:user/{OPERATOR}"),
            party_policies.identity_policy(party, bucket_name()),
        )
        for party, (account, _) in party_policies.ROLES.items()
    }


def _unless(client: Any, code: str, operation: str, **parameters: Any) -> None:
    """Call; the one error that says it is there already counts as done."""
    from botocore.exceptions import ClientError

    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] not in (code, f"{code}Exception"):
            raise
