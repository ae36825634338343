"""Who may do what: the texts of every policy of the workflow, the same on both clouds.

Four roles in two accounts. What a role may not do is not forbidden here by an ``if`` of the lab:
the cloud evaluates these texts, and its answer is what the steps and the attacks see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import no_plain_http

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nitro_workflow.cloud import Accounts, Cloud, Names

__all__ = ["PARTIES", "PartyPolicies"]

PARTIES: Final = ("owner", "developer", "administrator", "instance")
"""The four, in the order in which they come into the workflow."""


@dataclass(frozen=True, slots=True)
class PartyPolicies:
    """The policies for the accounts and names of one cloud.

    ``further``: party → statements that it needs on this cloud beyond the workflow's own.
    ``tls_only``: the bucket takes no request in the clear.
    """

    accounts: Accounts
    names: Names
    region: str
    further: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    tls_only: bool = False

    @classmethod
    def of(cls, cloud: Cloud) -> PartyPolicies:
        """Return the policies for a cloud."""
        further = {party: cloud.further_permissions(party) for party in PARTIES}
        return cls(cloud.accounts, cloud.names, cloud.region, further, cloud.public)

    def account(self, party: str) -> str:
        """Return the id of the party's account."""
        return self.accounts.data if party == "owner" else self.accounts.compute

    def role_arn(self, party: str) -> str:
        """Return the role's ARN of ``owner``, ``developer``, ``administrator`` or ``instance``."""
        return f"arn:aws:iam::{self.account(party)}:role/{self.names.roles[party]}"

    def role_name(self, party: str) -> str:
        """Return the role's name as IAM takes it: without its path."""
        return self.names.roles[party].rpartition("/")[2]

    def trust_policy(self, party: str, operator_arn: str) -> dict[str, Any]:
        """Return who may take the role: that account's operator, or EC2 for the instance's.

        The administrator is not among those who may become the owner: AssumeRole is refused by this
        text.
        """
        principal = (
            {"Service": "ec2.amazonaws.com"} if party == "instance" else {"AWS": operator_arn}
        )
        return _policy(
            _allow("WhoMayBecomeThisRole", ["sts:AssumeRole"], None, Principal=principal)
        )

    def identity_policy(self, party: str) -> dict[str, Any]:
        """Return the role's own permissions. To a Decrypt, the key policy must agree too."""
        bucket, images = self.names.data_bucket, self.names.images_bucket
        objects = f"arn:aws:s3:::{bucket}/*"
        keys = f"arn:aws:kms:{self.region}:{self.accounts.data}:key/*"
        statements = {
            "owner": [
                _allow(
                    "MakeKeys",
                    [
                        "kms:CreateKey",
                        "kms:CreateAlias",
                        "kms:ListAliases",
                        "kms:ListKeys",
                        "kms:UpdateAlias",
                    ],
                    "*",
                ),
                _allow(
                    "KeepTheBucket",
                    [
                        "s3:CreateBucket",
                        "s3:GetBucketPolicy",
                        "s3:ListBucketVersions",
                        "s3:PutBucketPolicy",
                        "s3:PutBucketVersioning",
                    ],
                    f"arn:aws:s3:::{bucket}",
                ),
                _allow(
                    "KeepTheObjects",
                    ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"],
                    objects,
                ),
                _allow("ReadTheTrail", ["cloudtrail:LookupEvents"], "*"),
            ],
            "developer": [
                _allow(
                    "PublishImages",
                    ["s3:CreateBucket", "s3:ListBucket", "s3:GetObject", "s3:PutObject"],
                    [f"arn:aws:s3:::{images}", f"arn:aws:s3:::{images}/*"],
                )
            ],
            "administrator": [
                _allow(
                    "RunTheInstance",
                    [
                        "ec2:RunInstances",
                        "ec2:TerminateInstances",
                        "ec2:DescribeInstances",
                        "ec2:CreateTags",
                    ],
                    "*",
                ),
                _allow("GiveTheInstanceItsRole", ["iam:PassRole"], self.role_arn("instance")),
                _allow("ReadTheTrail", ["cloudtrail:LookupEvents"], "*"),
            ],
            "instance": [
                _allow("AskForDecrypt", ["kms:Decrypt"], keys),
                _allow("GetTheCiphertext", ["s3:GetObject", "s3:GetObjectVersion"], objects),
            ],
        }
        return _policy(*statements[party], *self.further.get(party, ()))

    def bucket_policy(self) -> dict[str, Any]:
        """Return the owner's consent, across accounts, that the instance gets the ciphertext."""
        bucket = f"arn:aws:s3:::{self.names.data_bucket}"
        consent = _allow(
            "ParentInstanceGetsTheCiphertext",
            ["s3:GetObject", "s3:GetObjectVersion"],
            f"{bucket}/*",
            Principal=self._role("instance"),
        )
        if not self.tls_only:
            return _policy(consent)
        return _policy(consent, no_plain_http(self.names.data_bucket))

    def results_key_policy(self) -> dict[str, Any]:
        """Return the policy of the owner's second key: it wraps the key that opens results."""
        from nitro_workflow.policy import author

        policy = author.initial_key_policy(self.role_arn("owner"))
        actions = ["kms:GenerateDataKeyPairWithoutPlaintext", "kms:Decrypt"]
        policy["Statement"].append(
            _allow("OwnerOpensResults", actions, "*", Principal=self._role("owner"))
        )
        return policy

    def _role(self, party: str) -> dict[str, str]:
        return {"AWS": self.role_arn(party)}


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(
    sid: str, actions: list[str], resource: str | list[str] | None, **more: Any
) -> dict[str, Any]:
    where = {} if resource is None else {"Resource": resource}
    principal = {"Principal": more.pop("Principal")} if "Principal" in more else {}
    return {"Sid": sid, "Effect": "Allow", **principal, "Action": actions, **where, **more}
