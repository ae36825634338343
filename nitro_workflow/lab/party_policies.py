"""Who may do what: the texts of every policy of the workflow, the same on both clouds.

Four roles in two accounts. What a role may not do is not forbidden here by an ``if`` of the lab:
the cloud evaluates these texts, and its answer is what the steps and the attacks see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "COMPUTE_ACCOUNT",
    "DATA_ACCOUNT",
    "ROLES",
    "bucket_policy",
    "identity_policy",
    "results_key_policy",
    "role_arn",
    "trust_policy",
]

DATA_ACCOUNT: Final = "111122223333"
"""The data owner's: the key and the bucket. An account id of AWS's documentation."""
COMPUTE_ACCOUNT: Final = "444455556666"
"""The developer's, the administrator's and the instance's."""

IMAGES: Final = f"nitro-workflow-images-{COMPUTE_ACCOUNT}"
"""The developer's bucket. In the lab the image is handed over as a file; on AWS it lies there."""

ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "owner": (DATA_ACCOUNT, "DataOwner"),
    "developer": (COMPUTE_ACCOUNT, "ApplicationDeveloper"),
    "administrator": (COMPUTE_ACCOUNT, "ParentAdministrator"),
    "instance": (COMPUTE_ACCOUNT, "ParentInstance"),
}


def role_arn(party: str) -> str:
    """Return the role's ARN of ``owner``, ``developer``, ``administrator`` or ``instance``."""
    account, name = ROLES[party]
    return f"arn:aws:iam::{account}:role/{name}"


def trust_policy(party: str, operator_arn: str) -> dict[str, Any]:
    """Return who may take the role: that account's operator, or EC2 for the instance's.

    The administrator is not among those who may become the owner: AssumeRole is refused by this
    text.
    """
    principal = {"Service": "ec2.amazonaws.com"} if party == "instance" else {"AWS": operator_arn}
    return _policy(_allow("WhoMayBecomeThisRole", ["sts:AssumeRole"], None, Principal=principal))


def identity_policy(party: str, bucket: str) -> dict[str, Any]:
    """Return the role's own permissions. To a Decrypt, the key policy must agree too."""
    objects = f"arn:aws:s3:::{bucket}/*"
    statements = {
        "owner": [
            _allow(
                "MakeKeys",
                ["kms:CreateKey", "kms:CreateAlias", "kms:ListAliases", "kms:ListKeys"],
                "*",
            ),
            _allow(
                "KeepTheBucket",
                [
                    "s3:CreateBucket",
                    "s3:GetBucketLocation",
                    "s3:GetBucketPolicy",
                    "s3:ListBucket",
                    "s3:ListBucketVersions",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketVersioning",
                ],
                f"arn:aws:s3:::{bucket}",
            ),
            _allow(
                "KeepTheObjects", ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"], objects
            ),
            _allow("ReadTheTrail", ["cloudtrail:LookupEvents"], "*"),
        ],
        "developer": [
            _allow(
                "PublishImages",
                ["s3:CreateBucket", "s3:ListBucket", "s3:GetObject", "s3:PutObject"],
                [f"arn:aws:s3:::{IMAGES}", f"arn:aws:s3:::{IMAGES}/*"],
            )
        ],
        "administrator": [
            _allow(
                "RunTheInstance",
                [
                    "ec2:RunInstances",
                    "ec2:StartInstances",
                    "ec2:StopInstances",
                    "ec2:TerminateInstances",
                    "ec2:DescribeInstances",
                    "ec2:DescribeInstanceTypes",
                    "ec2:CreateTags",
                ],
                "*",
            ),
            _allow("GiveTheInstanceItsRole", ["iam:PassRole"], role_arn("instance")),
            _allow("ReadTheTrail", ["cloudtrail:LookupEvents"], "*"),
        ],
        "instance": [
            _allow("AskForDecrypt", ["kms:Decrypt"], f"arn:aws:kms:{REGION}:{DATA_ACCOUNT}:key/*"),
            _allow("GetTheCiphertext", ["s3:GetObject", "s3:GetObjectVersion"], objects),
        ],
    }
    return _policy(*statements[party])


def bucket_policy(bucket: str) -> dict[str, Any]:
    """Return the owner's consent, across accounts, that the instance gets the ciphertext."""
    return _policy(
        _allow(
            "ParentInstanceGetsTheCiphertext",
            ["s3:GetObject", "s3:GetObjectVersion"],
            f"arn:aws:s3:::{bucket}/*",
            Principal=_role("instance"),
        )
    )


def results_key_policy() -> dict[str, Any]:
    """Return the policy of the owner's second key: it wraps the private key that opens results."""
    from nitro_workflow.policy import author

    policy = author.initial_key_policy(role_arn("owner"))
    actions = ["kms:GenerateDataKeyPairWithoutPlaintext", "kms:Decrypt"]
    policy["Statement"].append(_allow("OwnerOpensResults", actions, "*", Principal=_role("owner")))
    return policy


def _role(party: str) -> dict[str, str]:
    return {"AWS": role_arn(party)}


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(
    sid: str, actions: list[str], resource: str | list[str] | None, **more: Any
) -> dict[str, Any]:
    where = {} if resource is None else {"Resource": resource}
    principal = {"Principal": more.pop("Principal")} if "Principal" in more else {}
    return {"Sid": sid, "Effect": "Allow", **principal, "Action": actions, **where, **more}
