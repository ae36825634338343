"""Tags that a call gives to what it makes: who may give them, and how many.

Source: EC2 User Guide, "Grant permission to tag resources during creation".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import arn
from nitro_workflow.cloud.local.handler import Services

__all__ = ["Tags", "allow_tags", "request_tags", "tags_at_creation"]

Tags: TypeAlias = list[dict[str, str]]

_MAX_TAGS = 50  # EC2 quota: tags of one resource


def tags_at_creation(call: Call, *kinds: str) -> dict[str, Tags]:
    """Return the tags by what they are for, of the ``kinds`` that the call makes.

    Raises `ServiceFault`: InvalidParameterValue for too many, for AWS's own, for another kind.
    """
    found: dict[str, Tags] = {}
    for part in call.params.get("TagSpecifications", ()):
        kind = str(part.get("ResourceType", ""))
        if kind not in kinds:
            text = f"'{kind}' is not a valid taggable resource type for this operation."
            raise ServiceFault("InvalidParameterValue", text)
        found[kind] = found.get(kind, []) + [_tag(tag) for tag in part.get("Tags", ())]
    for tags in found.values():
        _check(tags)
    return {kind: tags for kind, tags in found.items() if tags}


def _tag(given: Mapping[str, str]) -> dict[str, str]:
    return {"Key": given.get("Key", ""), "Value": given.get("Value", "")}


def _check(tags: Tags) -> None:
    keys = [tag["Key"] for tag in tags]
    if len(tags) > _MAX_TAGS or any(key.lower().startswith("aws:") for key in keys):
        text = f"At most {_MAX_TAGS} tags, and none whose key begins with aws:."
        raise ServiceFault("InvalidParameterValue", text)
    if "" in keys or len(set(keys)) < len(keys):
        raise ServiceFault(
            "InvalidParameterValue", "Tag keys are not empty, and each is there once."
        )


def request_tags(tags: Tags) -> dict[str, Any]:
    """Return the condition keys of the tags that a request brings."""
    if not tags:
        return {}
    values = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    return {**values, "aws:TagKeys": [tag["Key"] for tag in tags]}


def allow_tags(services: Services, call: Call, given: Mapping[str, Tags]) -> None:
    """Ask the gate: who tags what they make needs ec2:CreateTags, too."""
    for kind, tags in given.items():
        services.gate.authorize(
            call,
            "ec2:CreateTags",
            arn(call, kind, "*"),
            resource_account=call.caller.account,
            context={
                "ec2:Region": call.region,
                "ec2:CreateAction": call.operation,
                **request_tags(tags),
            },
        )
