"""The end of a lab on AWS: what it has made is removed, in the one order that works.

Instance, security group, buckets with every version, keys (scheduled), aliases, instance profile,
roles. The owner's role is last: the key policy names nobody else, and without that role nobody
could end the key. What is given is left alone. Run again, it goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.lab.aws.leftovers import Leftover, keys_without_alias, leftovers
from nitro_workflow.lab.party_policies import PartyPolicies

if TYPE_CHECKING:
    from nitro_workflow.cloud import AwsCloud

__all__ = ["Removal", "teardown"]

WINDOW_DAYS: Final = 7
"""The shortest time that KMS takes between ScheduleKeyDeletion and the key's end."""
GROUP_SECONDS: Final = 120.0
"""A network interface holds its security group for a while after its instance has ended."""
BATCH: Final = 1000  # S3: DeleteObjects

_AFTER_KEYS: Final = ("instance profile", "role")

_GONE: Final = frozenset(
    {
        *("NoSuchEntity", "NoSuchBucket", "NotFoundException", "InvalidGroup.NotFound"),
        *("InvalidInstanceID.NotFound", "InvalidGroupId.NotFound"),
    }
)


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of one thing. ``state``: ``removed``, ``scheduled``, ``kept`` or ``failed``."""

    kind: str
    name: str
    account: str
    state: str
    why: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the fields by name."""
        return asdict(self)


def teardown(cloud: AwsCloud) -> Iterator[Removal]:
    """Remove what there is of this lab; yield what became of each thing, as it goes.

    Raises botocore's errors where the operator may not even ask what there is.
    """
    from botocore.exceptions import ClientError

    found = leftovers(cloud, cloud.identity)
    owner = cloud.names.roles["owner"].rpartition("/")[2]
    owner_there = "role-owner" in cloud.names.given or owner in {one.name for one in found}
    keys_end = True
    if owner_there and _owner_can_ask(cloud):
        try:
            found = _with_keys_of_no_name(cloud, found)
        except ClientError as error:
            keys_end = False
            why = f"keys without an alias could not be looked for: {error_code(error)}"
            yield Removal("KMS key", "of this lab's tag", "data", "failed", why)
    for one in found:
        if one.name in cloud.names.given.values():
            continue
        if one.kind == "KMS key" and not owner_there:
            done = _told(one, "failed", "its owner's role is gone, and it obeys nobody else")
        elif one.kind == "role" and one.name == owner and not keys_end:
            done = _told(one, "kept", "a key is left that only this role can end: run this again")
        else:
            done = _remove(cloud, one)
        keys_end = keys_end and not (one.kind == "KMS key" and done.state == "failed")
        yield done
    for name, value in cloud.names.given.items():
        yield Removal(name, value, "", "kept", "it was given, and does not belong to this lab")


def _with_keys_of_no_name(cloud: AwsCloud, found: list[Leftover]) -> list[Leftover]:
    """Add the keys that have the lab's tag and no alias."""
    more = list(keys_without_alias(_owner(cloud).client("kms"), cloud.identity))
    place = next((n for n, one in enumerate(found) if one.kind in _AFTER_KEYS), len(found))
    return [*found[:place], *more, *found[place:]]


def _owner_can_ask(cloud: AwsCloud) -> bool:
    """Tell whether the owner's role has its policy: without it, it has made no key yet."""
    from botocore.exceptions import ClientError

    if "role-owner" in cloud.names.given:
        return True
    role = cloud.names.roles["owner"]
    iam = cloud.operator(cloud.accounts.data).client("iam")
    try:
        return bool(iam.list_role_policies(RoleName=role)["PolicyNames"])
    except ClientError as error:
        if error_code(error) == "NoSuchEntity":
            return False
        raise


def _owner(cloud: AwsCloud) -> Any:
    """Return a session of the owner's role: a key obeys it alone. It makes nothing."""
    role = PartyPolicies.of(cloud).role_arn("owner")
    return cloud.session(cloud.accounts.data, role, party="owner")


def _remove(cloud: AwsCloud, one: Leftover) -> Removal:
    """Remove one thing; whatever goes wrong with it, the others are tried."""
    from botocore.exceptions import BotoCoreError, ClientError

    how: Callable[[Any, Leftover], Removal] = _HOW[one.kind]
    account = getattr(cloud.accounts, one.account)
    try:
        return how(_owner(cloud) if one.kind == "KMS key" else cloud.operator(account), one)
    except ClientError as error:
        if error_code(error) in _GONE:
            return _told(one, "removed", "it was gone")
        text = str(error.response.get("Error", {}).get("Message", ""))
        return _told(one, "failed", f"{error_code(error)}: {text}")
    except (BotoCoreError, NitroWorkflowError) as error:
        return _told(one, "failed", str(error))


def _told(one: Leftover, state: str, why: str = "") -> Removal:
    return Removal(one.kind, one.name, one.account, state, why)


def _instance(session: Any, one: Leftover) -> Removal:
    ec2 = session.client("ec2")
    ec2.terminate_instances(InstanceIds=[one.name])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[one.name])
    return _told(one, "removed", "with its enclaves, volume and address")


def _group(session: Any, one: Leftover) -> Removal:
    from botocore.exceptions import ClientError

    ec2, deadline = session.client("ec2"), time.monotonic() + GROUP_SECONDS
    while True:
        try:
            ec2.delete_security_group(GroupId=one.name)
            return _told(one, "removed")
        except ClientError as error:
            if error_code(error) != "DependencyViolation" or time.monotonic() > deadline:
                raise
        time.sleep(5)


def _bucket(session: Any, one: Leftover) -> Removal:
    s3, count = session.client("s3"), 0
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=one.name):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(
                Bucket=one.name, Key=upload["Key"], UploadId=upload["UploadId"]
            )
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=one.name, PaginationConfig={"PageSize": BATCH}
    ):
        listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects = [{"Key": it["Key"], "VersionId": it["VersionId"]} for it in listed]
        if objects:
            answer = s3.delete_objects(Bucket=one.name, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                return _told(one, "failed", f"{len(errors)} objects: {errors[0].get('Message')}")
            count += len(objects)
    s3.delete_bucket(Bucket=one.name)
    return _told(one, "removed", f"with {count} versions of objects")


def _key(session: Any, one: Leftover) -> Removal:
    """Schedule the deletion first: a key without its alias would not be found again."""
    kms = session.client("kms")
    about = kms.describe_key(KeyId=one.name)["KeyMetadata"]
    key = str(about["Arn"])
    if about["KeyState"] != "PendingDeletion":
        about = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=WINDOW_DAYS)
    if one.name.startswith("alias/"):
        kms.delete_alias(AliasName=one.name)
    ends = about["DeletionDate"].isoformat()[:16]
    return _told(one, "scheduled", f"{key} ends on {ends} UTC, with all that it has encrypted")


def _profile(session: Any, one: Leftover) -> Removal:
    iam = session.client("iam")
    found = iam.get_instance_profile(InstanceProfileName=one.name)["InstanceProfile"]
    for role in found["Roles"]:
        iam.remove_role_from_instance_profile(
            InstanceProfileName=one.name, RoleName=role["RoleName"]
        )
    iam.delete_instance_profile(InstanceProfileName=one.name)
    return _told(one, "removed")


def _role(session: Any, one: Leftover) -> Removal:
    iam = session.client("iam")
    for name in iam.list_role_policies(RoleName=one.name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=one.name, PolicyName=name)
    iam.delete_role(RoleName=one.name)
    return _told(one, "removed")


_HOW: Final = {
    "instance": _instance,
    "security group": _group,
    "bucket": _bucket,
    "KMS key": _key,
    "instance profile": _profile,
    "role": _role,
}
