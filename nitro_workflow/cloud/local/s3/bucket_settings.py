"""What set-up scripts tell a bucket: tags, public access, ownership, encryption; its ACL.

A setting that this cloud would not keep to is refused by name. Reading one that was never made is
answered as S3 answers it, also for settings that cannot be made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.bucket_rows import (
    allow_bucket,
    change_setting,
    public_access,
    setting,
)
from nitro_workflow.cloud.local.s3.object_headers import check_tags, no_acls, not_implemented
from nitro_workflow.cloud.local.s3.public_policies import PublicAccess

__all__ = ["MOST_TAGS", "OPERATIONS", "require_enforced"]

MOST_TAGS = 50  # S3: tags of one bucket
_ENFORCED = "BucketOwnerEnforced"
_GONE: Mapping[str, Any] = {"__status__": 204}


def put_bucket_tagging(services: Services, call: Call) -> Mapping[str, Any]:
    """Replace the bucket's tags."""
    row = allow_bucket(services, call, "PutBucketTagging")
    tags = check_tags(call.params["Tagging"]["TagSet"], MOST_TAGS)
    change_setting(services, row, "tags", tags)
    return _GONE


def get_bucket_tagging(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the bucket's tags."""
    row = allow_bucket(services, call, "GetBucketTagging")
    tags = setting(services, row["name"], "tags")
    if not tags:
        raise _no("NoSuchTagSet", "The TagSet does not exist", row["name"])
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def delete_bucket_tagging(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete the bucket's tags."""
    row = allow_bucket(services, call, "PutBucketTagging")
    change_setting(services, row, "tags", None)
    return _GONE


def put_public_access_block(services: Services, call: Call) -> Mapping[str, Any]:
    """Say how much public access is blocked; the next request sees it."""
    row = allow_bucket(services, call, "PutBucketPublicAccessBlock")
    stated = PublicAccess.parse(call.params["PublicAccessBlockConfiguration"])
    change_setting(services, row, "public-access", stated.to_members())
    return {}


def get_public_access_block(services: Services, call: Call) -> Mapping[str, Any]:
    """Say how much public access is blocked."""
    row = allow_bucket(services, call, "GetBucketPublicAccessBlock")
    if setting(services, row["name"], "public-access") == {}:
        code = "NoSuchPublicAccessBlockConfiguration"
        raise _no(code, "The public access block configuration was not found", row["name"])
    found = public_access(services, row["name"])
    return {"PublicAccessBlockConfiguration": found.to_members()}


def delete_public_access_block(services: Services, call: Call) -> Mapping[str, Any]:
    """Take the whole block away: nothing is blocked then."""
    row = allow_bucket(services, call, "PutBucketPublicAccessBlock")
    change_setting(services, row, "public-access", {})
    return _GONE


def require_enforced(kind: str) -> None:
    """Refuse an ownership under which ACLs would count: there are none.

    Raises `ServiceFault`: NotImplemented.
    """
    if kind != _ENFORCED:
        raise not_implemented(f"ObjectOwnership {kind}")


def put_ownership(services: Services, call: Call) -> Mapping[str, Any]:
    """Accept what is so: the bucket's owner owns every object."""
    row = allow_bucket(services, call, "PutBucketOwnershipControls")
    for rule in call.params["OwnershipControls"]["Rules"]:
        require_enforced(rule["ObjectOwnership"])
    change_setting(services, row, "ownership", None)
    return {}


def get_ownership(services: Services, call: Call) -> Mapping[str, Any]:
    """Say that the bucket's owner owns every object."""
    row = allow_bucket(services, call, "GetBucketOwnershipControls")
    if setting(services, row["name"], "ownership") == "deleted":
        text = "The bucket ownership controls were not found"
        raise _no("OwnershipControlsNotFoundError", text, row["name"])
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": _ENFORCED}]}}


def delete_ownership(services: Services, call: Call) -> Mapping[str, Any]:
    """Forget the statement; ACLs stay refused."""
    row = allow_bucket(services, call, "PutBucketOwnershipControls")
    change_setting(services, row, "ownership", "deleted")
    return _GONE


def put_encryption(services: Services, call: Call) -> Mapping[str, Any]:
    """Accept S3's own default; another key at rest is refused."""
    allow_bucket(services, call, "PutEncryptionConfiguration")
    for rule in call.params["ServerSideEncryptionConfiguration"]["Rules"]:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        kind = default.get("SSEAlgorithm", "AES256")
        if kind != "AES256" or default.get("KMSMasterKeyID"):
            raise not_implemented(f"SSEAlgorithm {kind}")
        if rule.get("BlockedEncryptionTypes"):
            raise not_implemented("BlockedEncryptionTypes")
    return {}


def get_encryption(services: Services, call: Call) -> Mapping[str, Any]:
    """Name S3's own default (what it does at rest is not for the client to see)."""
    allow_bucket(services, call, "GetEncryptionConfiguration")
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
    }
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def delete_encryption(services: Services, call: Call) -> Mapping[str, Any]:
    """Go back to S3's default, which is what there is."""
    allow_bucket(services, call, "PutEncryptionConfiguration")
    return _GONE


def get_bucket_acl(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the one ACL there is: the owner's full control."""
    row = allow_bucket(services, call, "GetBucketAcl")
    grantee = {"ID": row["account"], "Type": "CanonicalUser"}
    grants = [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]
    return {"Owner": {"ID": row["account"]}, "Grants": grants}


def put_bucket_acl(services: Services, call: Call) -> Mapping[str, Any]:
    """Refuse every ACL, ``private`` too, as S3 does where the bucket's owner is enforced."""
    allow_bucket(services, call, "PutBucketAcl")
    raise no_acls()


def _no(code: str, text: str, bucket: str) -> ServiceFault:
    return ServiceFault(code, text, 404, {"BucketName": bucket})


# What was never set and cannot be: operation → (its action, S3's answer when nothing was set).
_UNSET: Mapping[str, tuple[str, str | Mapping[str, Any]]] = {
    "GetBucketAccelerateConfiguration": ("GetAccelerateConfiguration", {}),
    "GetBucketCors": ("GetBucketCORS", "NoSuchCORSConfiguration"),
    "GetBucketLifecycleConfiguration": (
        "GetLifecycleConfiguration",
        "NoSuchLifecycleConfiguration",
    ),
    "GetBucketLogging": ("GetBucketLogging", {}),
    "GetBucketNotificationConfiguration": ("GetBucketNotification", {}),
    "GetBucketReplication": (
        "GetReplicationConfiguration",
        "ReplicationConfigurationNotFoundError",
    ),
    "GetBucketRequestPayment": ("GetBucketRequestPayment", {"Payer": "BucketOwner"}),
    "GetBucketWebsite": ("GetBucketWebsite", "NoSuchWebsiteConfiguration"),
    "GetObjectLockConfiguration": (
        "GetBucketObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
    ),
}


def _unset(action: str, answer: str | Mapping[str, Any]) -> Handler:
    def handler(services: Services, call: Call) -> Mapping[str, Any]:
        name = allow_bucket(services, call, action)["name"]
        if isinstance(answer, str):
            raise _no(answer, "The configuration does not exist", name)
        return answer

    return handler


OPERATIONS: Mapping[str, Handler] = {
    "DeleteBucketEncryption": delete_encryption,
    "DeleteBucketOwnershipControls": delete_ownership,
    "DeleteBucketTagging": delete_bucket_tagging,
    "DeletePublicAccessBlock": delete_public_access_block,
    "GetBucketAcl": get_bucket_acl,
    "GetBucketEncryption": get_encryption,
    "GetBucketOwnershipControls": get_ownership,
    "GetBucketTagging": get_bucket_tagging,
    "GetPublicAccessBlock": get_public_access_block,
    "PutBucketAcl": put_bucket_acl,
    "PutBucketEncryption": put_encryption,
    "PutBucketOwnershipControls": put_ownership,
    "PutBucketTagging": put_bucket_tagging,
    "PutPublicAccessBlock": put_public_access_block,
    **{name: _unset(*words) for name, words in _UNSET.items()},
}
