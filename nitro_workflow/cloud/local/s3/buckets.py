"""Buckets: create, delete, list; their versioning and their policy."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.gate import parse_cached
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.object_files import allow_bucket, moment
from nitro_workflow.errors import PolicyError

__all__ = ["OPERATIONS"]

# S3 User Guide, "Bucket naming rules".
_NAME = re.compile(r"(?!xn--)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def create_bucket(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a bucket of the caller's account."""
    name, account = call.params["Bucket"], call.caller.account
    if not _NAME.fullmatch(name):
        raise ServiceFault("InvalidBucketName", "The specified bucket is not valid.", 400)
    services.gate.authorize(
        call, "s3:CreateBucket", f"arn:aws:s3:::{name}", resource_account=account
    )
    with services.store.transaction() as db:
        row = db.execute("SELECT account FROM buckets WHERE name = ?", (name,)).fetchone()
        if row is not None and row["account"] != account:
            text = "The requested bucket name is not available."
            raise ServiceFault("BucketAlreadyExists", text, 409, {"BucketName": name})
        # us-east-1 answers 200 to the owner who asks again (S3 API Reference, CreateBucket).
        values = (name, account, call.now.isoformat(), None, None)
        db.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?, ?, ?, ?)", values)
    return {"Location": f"/{name}"}


def head_bucket(services: Services, call: Call) -> Mapping[str, Any]:
    """Say that the bucket is there and open to the caller."""
    allow_bucket(services, call, "ListBucket")
    return {"BucketRegion": services.region}


def get_bucket_location(services: Services, call: Call) -> Mapping[str, Any]:
    """Name the region; us-east-1 is the empty one."""
    allow_bucket(services, call, "GetBucketLocation")
    return {"LocationConstraint": ""}


def list_buckets(services: Services, call: Call) -> Mapping[str, Any]:
    """List the account's buckets."""
    account = call.caller.account
    services.gate.authorize(call, "s3:ListAllMyBuckets", "*", resource_account=account)
    query = "SELECT * FROM buckets WHERE account = ? ORDER BY name"
    rows = services.store.read().execute(query, (account,))
    buckets = [{"Name": row["name"], "CreationDate": moment(row["created"])} for row in rows]
    return {"Buckets": buckets, "Owner": {"ID": account}}


def delete_bucket(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete an empty bucket."""
    name = allow_bucket(services, call, "DeleteBucket")["name"]
    with services.store.transaction() as db:
        query = (
            "SELECT 1 FROM objects WHERE bucket = ?1 UNION SELECT 1 FROM uploads WHERE bucket = ?1"
        )
        if db.execute(query, (name,)).fetchone():
            text = (
                "The bucket you tried to delete is not empty. You must delete all versions in it."
            )
            raise ServiceFault("BucketNotEmpty", text, 409, {"BucketName": name})
        db.execute("DELETE FROM buckets WHERE name = ?", (name,))
    return {"__status__": 204}


def put_bucket_versioning(services: Services, call: Call) -> Mapping[str, Any]:
    """Enable or suspend versioning."""
    row = allow_bucket(services, call, "PutBucketVersioning")
    status = call.params["VersioningConfiguration"].get("Status")
    if status not in ("Enabled", "Suspended"):
        text = "The Versioning element must be specified"
        raise ServiceFault("IllegalVersioningConfigurationException", text)
    return _update(services, row, "versioning", status)


def get_bucket_versioning(services: Services, call: Call) -> Mapping[str, Any]:
    """Say whether the bucket keeps versions."""
    row = allow_bucket(services, call, "GetBucketVersioning")
    return {"Status": row["versioning"]} if row["versioning"] else {}


def put_bucket_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Replace the bucket's policy, checked as S3 checks it."""
    row = allow_bucket(services, call, "PutBucketPolicy")
    text = call.params["Policy"]
    try:
        parse_cached(text, "resource")
    except PolicyError as error:
        raise ServiceFault("MalformedPolicy", str(error), 400) from None
    return _update(services, row, "policy", text) | {"__status__": 204}


def get_bucket_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the bucket's policy."""
    row = allow_bucket(services, call, "GetBucketPolicy")
    if not row["policy"]:
        text = "The bucket policy does not exist"
        raise ServiceFault("NoSuchBucketPolicy", text, 404, {"BucketName": row["name"]})
    return {"Policy": row["policy"]}


def delete_bucket_policy(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete the bucket's policy."""
    row = allow_bucket(services, call, "DeleteBucketPolicy")
    return _update(services, row, "policy", None) | {"__status__": 204}


def _update(services: Services, row: sqlite3.Row, column: str, value: str | None) -> dict[str, Any]:
    with services.store.transaction() as db:
        query = f"UPDATE buckets SET {column} = ? WHERE name = ?"  # noqa: S608 - our own columns
        db.execute(query, (value, row["name"]))
    return {}


OPERATIONS: Mapping[str, Handler] = {
    "CreateBucket": create_bucket,
    "DeleteBucket": delete_bucket,
    "DeleteBucketPolicy": delete_bucket_policy,
    "GetBucketLocation": get_bucket_location,
    "GetBucketPolicy": get_bucket_policy,
    "GetBucketVersioning": get_bucket_versioning,
    "HeadBucket": head_bucket,
    "ListBuckets": list_buckets,
    "PutBucketPolicy": put_bucket_policy,
    "PutBucketVersioning": put_bucket_versioning,
}
