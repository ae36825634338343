"""What a lab's things are called on AWS: each has the lab's id, so that labs do not meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud.cloud_protocol import Names

if TYPE_CHECKING:
    from nitro_workflow.cloud.aws.aws_settings import AwsSettings

__all__ = ["LAB_TAG", "PREFIX", "aws_names", "machine_image_parameter", "security_group"]

PREFIX: Final = "nitro-workflow"
LAB_TAG: Final = "nitro-workflow:lab"
"""The tag that everything of a lab has; its value is the lab's id."""

_PARTIES: Final = ("owner", "developer", "administrator", "instance")

_IMAGE: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.12-{}"
"""Public parameter. The kernel is pinned: the default one moves yearly."""


def aws_names(settings: AwsSettings, identity: str) -> Names:
    """Return the names for a lab; what is given has its own."""
    base = f"{PREFIX}-{identity}"
    return Names(
        data_bucket=settings.given.get("bucket") or f"{base}-data",
        images_bucket=f"{base}-images",
        data_alias=f"alias/{base}-data",
        results_alias=f"alias/{base}-results",
        instance_profile=f"{base}-instance",
        machine_image=machine_image_parameter("x86_64"),
        roles={party: settings.given_role(party) or f"{base}-{party}" for party in _PARTIES},
        given=dict(settings.given),
    )


def machine_image_parameter(architecture: str) -> str:
    """Return the SSM parameter that names Amazon Linux 2023 for ``x86_64`` or ``arm64``."""
    return _IMAGE.format(architecture)


def security_group(identity: str) -> str:
    """Return the name of the instance's security group, which lets nothing in."""
    return f"{PREFIX}-{identity}"
