"""What labs have left in two accounts: asked of each service, by name and tag, of any lab.

The services' own lists are asked, not the tagging service's: that one lists no roles, and lists
what is gone for a while.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import LAB_TAG, Patience, error_code

if TYPE_CHECKING:
    from nitro_workflow.cloud import AwsCloud

__all__ = ["Leftover", "keys_without_alias", "leftovers", "tagged_keys"]

_NAME: Final = re.compile(r"(?:alias/)?nitro-workflow-([0-9a-f]{16})(?:-[a-z]+)?")
_ALIVE: Final = ("pending", "running", "stopping", "stopped", "shutting-down")


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing of a lab. ``account``: ``data`` or ``compute``; ``lab``: that lab's id."""

    kind: str
    name: str
    account: str
    lab: str
    state: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the fields by name."""
        return asdict(self)


def leftovers(cloud: AwsCloud, lab: str = "") -> list[Leftover]:
    """Return what there is of one lab, or of any, in the order in which it is removed.

    Raises botocore's errors where the operator may not ask.
    """
    sides = ["data"] if cloud.accounts.data == cloud.accounts.compute else ["data", "compute"]
    sessions = [(side, cloud.operator(getattr(cloud.accounts, side))) for side in sides]
    found: list[Leftover] = []
    for look in (_instances, _groups, _buckets, _keys, _profiles, _roles):
        for side, session in sessions:
            found += look(session, side)
    found.sort(key=lambda one: one.kind == "role" and one.name.endswith("-owner"))  # the last
    return [one for one in found if lab in ("", one.lab)]


def tagged_keys(cloud: AwsCloud, found: list[Leftover]) -> Iterator[Leftover]:
    """Yield the keys without an alias of every lab whose owner's role is among ``found``.

    A key obeys its owner alone, so each lab's own owner is asked, by the tag. Where the operator
    may not become them, one leftover says so instead.
    """
    from botocore.exceptions import ClientError

    impatient = copy.copy(cloud)
    impatient.settling = Patience(0.0, 0.0)  # these roles are not new
    for one in found:
        if one.kind == "role" and one.name.endswith("-owner"):
            account = getattr(cloud.accounts, one.account)
            role = f"arn:aws:iam::{account}:role/{one.name}"
            try:
                owner = impatient.session(account, role, party="owner")
                yield from keys_without_alias(owner.client("kms"), one.lab)
            except ClientError as error:
                why = f"not looked for, as the owner cannot be asked: {error_code(error)}"
                yield Leftover("KMS key", "without an alias", one.account, one.lab, why)


def keys_without_alias(kms: Any, lab: str) -> Iterator[Leftover]:
    """Yield the keys that have the lab's tag and no alias: a run was killed between the two calls.

    ``kms`` is the owner's client. Raises botocore's ClientError where keys may not be listed.
    """
    from botocore.exceptions import ClientError

    for page in kms.get_paginator("list_keys").paginate():
        for one in page["Keys"]:
            try:
                tags = kms.list_resource_tags(KeyId=one["KeyId"])["Tags"]
                named = kms.list_aliases(KeyId=one["KeyId"])["Aliases"]
                state = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"]
            except ClientError:
                continue  # the owner may look at the lab's own keys only
            ours = {"TagKey": LAB_TAG, "TagValue": lab} in tags
            if ours and not named and state != "PendingDeletion":
                yield Leftover("KMS key", str(one["KeyArn"]), "data", lab)


def _instances(session: Any, side: str) -> Iterator[Leftover]:
    filters = [
        {"Name": "tag-key", "Values": [LAB_TAG]},
        {"Name": "instance-state-name", "Values": list(_ALIVE)},
    ]
    pages = session.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    for page in pages:
        for group in page["Reservations"]:
            for one in group["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
                lab, state = str(tags.get(LAB_TAG, "")), str(one["State"]["Name"])
                yield Leftover("instance", str(one["InstanceId"]), side, lab, state)


def _groups(session: Any, side: str) -> Iterator[Leftover]:
    filters = [{"Name": "group-name", "Values": ["nitro-workflow-*"]}]
    pages = session.client("ec2").get_paginator("describe_security_groups")
    for page in pages.paginate(Filters=filters):
        for one in page["SecurityGroups"]:
            if lab := _lab_of(one["GroupName"]):
                yield Leftover("security group", str(one["GroupId"]), side, lab)


def _buckets(session: Any, side: str) -> Iterator[Leftover]:
    for one in session.client("s3").list_buckets()["Buckets"]:
        if lab := _lab_of(one["Name"]):
            yield Leftover("bucket", str(one["Name"]), side, lab)


def _keys(session: Any, side: str) -> Iterator[Leftover]:
    """Find keys by their aliases: a key whose deletion is scheduled loses its alias at the end."""
    pages = session.client("kms").get_paginator("list_aliases").paginate()
    for page in pages:
        for one in page["Aliases"]:
            if lab := _lab_of(one["AliasName"]):
                yield Leftover("KMS key", str(one["AliasName"]), side, lab)


def _profiles(session: Any, side: str) -> Iterator[Leftover]:
    for page in session.client("iam").get_paginator("list_instance_profiles").paginate():
        for one in page["InstanceProfiles"]:
            if lab := _lab_of(one["InstanceProfileName"]):
                yield Leftover("instance profile", str(one["InstanceProfileName"]), side, lab)


def _roles(session: Any, side: str) -> Iterator[Leftover]:
    for page in session.client("iam").get_paginator("list_roles").paginate():
        for one in page["Roles"]:
            if lab := _lab_of(one["RoleName"]):
                yield Leftover("role", str(one["RoleName"]), side, lab)


def _lab_of(name: str) -> str:
    found = _NAME.fullmatch(name)
    return found[1] if found else ""
