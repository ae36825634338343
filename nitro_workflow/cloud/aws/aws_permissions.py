"""What the parties need on AWS beyond the workflow's own: the way to the instance and back.

The image and the parent's program reach the instance through the developer's bucket, commands
through SSM, and long results through the bucket again. No inbound port is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nitro_workflow.cloud.aws.aws_names import LAB_TAG

__all__ = ["ANSWERS", "INPUTS", "further_permissions"]

INPUTS: Final = "instance/"
"""Prefix in the images' bucket of what the instance takes: image and parent's program."""
ANSWERS: Final = "answers/"
"""Prefix in the images' bucket of what the instance writes: results that are too long for SSM."""

Statement = Mapping[str, Any]


def further_permissions(
    party: str,
    *,
    data_bucket: str,
    images_bucket: str,
    region: str,
    account: str,
    identity: str,
    instance: str = "",
    tag: str = LAB_TAG,
) -> Sequence[Statement]:
    """Return the statements for ``owner``, ``developer``, ``administrator`` or ``instance``.

    The administrator commands instances whose ``tag`` is ``identity``. ``instance``: the id of one
    that is given, which may lack the tag.
    """
    bucket = f"arn:aws:s3:::{images_bucket}"
    if party == "owner":
        return _owner(f"arn:aws:s3:::{data_bucket}")
    if party == "developer":
        return _developer(bucket)
    if party == "administrator":
        ours = {"StringEquals": {f"ssm:resourceTag/{tag}": identity}}
        return _administrator(bucket, region, account, ours, instance)
    return _instance(bucket)


def _owner(bucket: str) -> Sequence[Statement]:
    return (
        _allow("ShutTheBucket", ["s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging"], bucket),
        _allow(
            "TagAndEndKeys",
            ["kms:TagResource", "kms:DeleteAlias"],
            "*",
        ),
    )


def _developer(bucket: str) -> Sequence[Statement]:
    actions = ["s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging"]
    return (_allow("KeepTheImages", actions, bucket),)


def _administrator(
    bucket: str, region: str, account: str, ours: Mapping[str, Any], instance: str
) -> Sequence[Statement]:
    here = f"arn:aws:ec2:{region}:{account}"
    given = f"{here}:instance/{instance}"
    return (
        _allow(
            "LookAround",
            [
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ssm:DescribeInstanceInformation",
                "ssm:GetCommandInvocation",
            ],
            "*",
        ),
        _allow(
            "NameTheMachineImage",
            ["ssm:GetParameter"],
            f"arn:aws:ssm:{region}::parameter/aws/service/ami-amazon-linux-latest/*",
        ),
        _allow(
            "MakeTheSecurityGroup",
            ["ec2:CreateSecurityGroup"],
            [f"{here}:security-group/*", f"{here}:vpc/*"],
        ),
        _allow("CommandTheInstance", ["ssm:SendCommand"], f"{here}:instance/*", Condition=ours),
        *((_allow("CommandTheGiven", ["ssm:SendCommand"], given),) if instance else ()),
        _allow(
            "CommandByShell",
            ["ssm:SendCommand"],
            f"arn:aws:ssm:{region}::document/AWS-RunShellScript",
        ),
        _allow("EndACommand", ["ssm:CancelCommand"], "*"),
        _allow("TakeAnswers", ["s3:GetObject"], f"{bucket}/{ANSWERS}*"),
    )


def _instance(bucket: str) -> Sequence[Statement]:
    return (
        _allow("TakeTheImage", ["s3:GetObject"], f"{bucket}/{INPUTS}*"),
        _allow("LeaveAnswers", ["s3:PutObject"], f"{bucket}/{ANSWERS}*"),
        # What AmazonSSMManagedInstanceCore gives an agent, without its parameters and inventory.
        _allow(
            "BeCommanded",
            [
                "ec2messages:AcknowledgeMessage",
                "ec2messages:DeleteMessage",
                "ec2messages:FailMessage",
                "ec2messages:GetEndpoint",
                "ec2messages:GetMessages",
                "ec2messages:SendReply",
                "ssm:UpdateInstanceInformation",
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
            ],
            "*",
        ),
    )


def _allow(sid: str, actions: list[str], resource: str | list[str], **more: Any) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, **more}
