"""What the person at the keyboard needs on AWS to set a lab up and to take it down again.

Ready to use: what `nitro-workflow aws check` prints where AWS does not let it ask. Roles, buckets
and instances of other names or without the lab's tag are out of its reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud import LAB_TAG, machine_image_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["operator_actions", "operator_policy"]

PREFIX = "nitro-workflow-*"


def operator_policy(side: str, region: str, account: str = "*") -> dict[str, Any]:
    """Return the IAM policy of the ``data`` or the ``compute`` account's operator."""
    statements = [*_roles(account), _leftovers()]
    statements += _data() if side == "data" else _compute(region, account)
    return {"Version": "2012-10-17", "Statement": statements}


def operator_actions(policy: Mapping[str, Any]) -> list[str]:
    """Return the actions of a policy, each once, in order: what a simulation is asked."""
    found = [action for one in policy["Statement"] for action in one["Action"]]
    return list(dict.fromkeys(found))


def _roles(account: str) -> Iterator[Mapping[str, Any]]:
    roles = [f"arn:aws:iam::{account}:role/{PREFIX}"]
    yield _allow(
        "MakeTheRoles",
        [
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "sts:AssumeRole",
        ],
        roles,
    )
    # GetRole: an operator who has assumed a role is asked for that role's path.
    yield _allow("AskWhatIsAllowed", ["iam:GetRole", "iam:SimulatePrincipalPolicy"], "*")


def _leftovers() -> Mapping[str, Any]:
    """Return what `aws list` and `aws teardown` look through in either account."""
    return _allow(
        "FindWhatIsLeft",
        [
            "ec2:DescribeInstances",
            "ec2:DescribeSecurityGroups",
            "iam:ListInstanceProfiles",
            "iam:ListRoles",
            "kms:ListAliases",
            "s3:ListAllMyBuckets",
        ],
        "*",
    )


def _data() -> Iterator[Mapping[str, Any]]:
    yield _emptying()


def _compute(region: str, account: str) -> Iterator[Mapping[str, Any]]:
    yield _emptying()
    profile = f"arn:aws:iam::{account}:instance-profile/{PREFIX}"
    yield _allow(
        "MakeTheInstanceProfile",
        [
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:GetInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagInstanceProfile",
        ],
        [profile, f"arn:aws:iam::{account}:role/{PREFIX}"],
    )
    # AddRoleToInstanceProfile asks for it (IAM API Reference); the role trusts EC2 alone.
    role = f"arn:aws:iam::{account}:role/{PREFIX}-instance"
    yield _allow("LetTheProfileHaveItsRole", ["iam:PassRole"], role)
    yield _allow(
        "LookAround",
        [
            "ec2:DescribeInstanceTypeOfferings",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSubnets",
            "servicequotas:GetServiceQuota",
        ],
        "*",
    )
    parameters = machine_image_parameter("*").replace("*", "")
    yield _allow(
        "NameTheMachineImage",
        ["ssm:GetParameter"],
        f"arn:aws:ssm:{region}::parameter{parameters}*",
    )
    tagged = {"StringLike": {f"aws:ResourceTag/{LAB_TAG}": "*"}}
    yield _allow(
        "EndTheInstance",
        ["ec2:DeleteSecurityGroup", "ec2:TerminateInstances"],
        f"arn:aws:ec2:{region}:{account}:*",
        Condition=tagged,
    )


def _emptying() -> Mapping[str, Any]:
    bucket = f"arn:aws:s3:::{PREFIX}"
    return _allow(
        "EmptyAndRemoveTheBucket",
        [
            "s3:AbortMultipartUpload",
            "s3:DeleteBucket",
            "s3:DeleteObjectVersion",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
        ],
        [bucket, f"{bucket}/*"],
    )


def _allow(sid: str, actions: list[str], resource: Any, **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, **more}
