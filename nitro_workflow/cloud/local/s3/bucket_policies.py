"""Bucket policies and versioning: what S3 keeps in the bucket itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.gate import Departed, check_policy, name_by_id, unknown_principal
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.bucket_rows import allow_bucket, public_access, require_bucket
from nitro_workflow.cloud.local.s3.object_headers import not_implemented
from nitro_workflow.cloud.local.s3.public_policies import is_public
from nitro_workflow.errors import PolicyError

__all__ = ["OPERATIONS", "forget"]

_MAX_POLICY_BYTES = 20 * 1024  # S3: one bucket policy


def put_bucket_versioning(services: Services, call: Call) -> Mapping[str, Any]:
    """Enable or suspend versioning."""
    row = allow_bucket(services, call, "PutBucketVersioning")
    stated = call.params["VersioningConfiguration"]
    if "MFA" in call.params or stated.get("MFADelete") == "Enabled":
        raise not_implemented("MFADelete")
    if stated.get("Status") not in ("Enabled", "Suspended"):
        text = "The Versioning element must be specified"
        raise ServiceFault("IllegalVersioningConfigurationException", text)
    return _update(services, row, "versioning", stated["Status"])


def get_bucket_versioning(services: Services, call: Call) -> Mapping[str, Any]:
    """Say whether the bucket keeps versions."""
    row = allow_bucket(services, call, "GetBucketVersioning")
    return {"Status": row["versioning"]} if row["versioning"] else {}


def put_bucket_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Replace the bucket's policy, checked as S3 checks it."""
    row = allow_bucket(services, call, "PutBucketPolicy")
    text = call.params["Policy"]
    if len(text.encode()) > _MAX_POLICY_BYTES:
        raise ServiceFault("PolicyTooLarge", f"Policies have {_MAX_POLICY_BYTES} bytes at most.")
    try:
        check_policy(text, "resource")
    except PolicyError as error:
        raise ServiceFault("MalformedPolicy", str(error), 400) from None
    if is_public(text) and public_access(services, row["name"]).block_policy:
        denied = (
            f"User: {call.caller.arn} is not authorized to perform: s3:PutBucketPolicy on "
            f'resource: "arn:aws:s3:::{row["name"]}" because public policies are prevented by the '
            "BlockPublicPolicy setting in S3 Block Public Access."
        )
        raise ServiceFault("AccessDenied", denied, 403)
    with services.store.transaction() as db:
        require_bucket(db, row)
        if unknown_principal(db, text):
            raise ServiceFault("MalformedPolicy", "Invalid principal in policy", 400)
        _set(db, row, "policy", text)
    return {"__status__": 204}


def get_bucket_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the bucket's policy."""
    row = allow_bucket(services, call, "GetBucketPolicy")
    return {"Policy": _text(row)}


def get_bucket_policy_status(services: Services, call: Call) -> Mapping[str, Any]:
    """Say whether the bucket's policy is public."""
    row = allow_bucket(services, call, "GetBucketPolicyStatus")
    return {"PolicyStatus": {"IsPublic": is_public(_text(row))}}


def _text(row: sqlite3.Row) -> str:
    if not row["policy"]:
        text = "The bucket policy does not exist"
        raise ServiceFault("NoSuchBucketPolicy", text, 404, {"BucketName": row["name"]})
    return str(row["policy"])


def delete_bucket_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete the bucket's policy."""
    row = allow_bucket(services, call, "DeleteBucketPolicy")
    return _update(services, row, "policy", None) | {"__status__": 204}


def forget(db: sqlite3.Connection, gone: Departed) -> None:
    """Name a deleted user or role by their id in bucket policies."""
    name_by_id(db, "buckets", "policy", gone)


def _update(services: Services, row: sqlite3.Row, column: str, value: str | None) -> dict[str, Any]:
    with services.store.transaction() as db:
        require_bucket(db, row)
        _set(db, row, column, value)
    return {}


def _set(db: sqlite3.Connection, row: sqlite3.Row, column: str, value: str | None) -> None:
    query = f"UPDATE buckets SET {column} = ? WHERE name = ?"  # noqa: S608 - our own columns
    db.execute(query, (value, row["name"]))


OPERATIONS: Mapping[str, Handler] = {
    "DeleteBucketPolicy": delete_bucket_policy,
    "GetBucketPolicy": get_bucket_policy,
    "GetBucketPolicyStatus": get_bucket_policy_status,
    "GetBucketVersioning": get_bucket_versioning,
    "PutBucketPolicy": put_bucket_policy,
    "PutBucketVersioning": put_bucket_versioning,
}
