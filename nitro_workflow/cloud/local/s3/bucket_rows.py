"""S3's tables, and what every handler asks first: which bucket, and may the caller do this."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.s3.object_headers import write_context
from nitro_workflow.cloud.local.s3.public_policies import PublicAccess, is_public

if TYPE_CHECKING:
    from nitro_workflow.policy import Policy

__all__ = [
    "BUCKETS",
    "DEFAULT_REGION",
    "SCHEMA",
    "Place",
    "admits",
    "allow_bucket",
    "allow_object",
    "allow_place",
    "bucket_row",
    "change_setting",
    "may_list",
    "moment",
    "public_access",
    "require_bucket",
    "setting",
]

# What a bucket is told beside its policy is a row of its own, so that another setting needs no
# other table. `parts` of earlier versions had no checksums: its rows move, once, to `upload_parts`.
SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, account TEXT NOT NULL, created TEXT NOT NULL,
    versioning TEXT, policy TEXT);
CREATE TABLE IF NOT EXISTS bucket_settings (
    bucket TEXT NOT NULL REFERENCES buckets (name) ON DELETE CASCADE,
    name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (bucket, name));
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL REFERENCES buckets (name),
    key TEXT NOT NULL, version TEXT NOT NULL, latest INTEGER NOT NULL, marker INTEGER NOT NULL,
    file TEXT, size INTEGER NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL,
    headers TEXT NOT NULL, UNIQUE (bucket, key, version));
CREATE INDEX IF NOT EXISTS objects_latest ON objects (bucket, latest, key);
CREATE TABLE IF NOT EXISTS object_parts (
    object INTEGER NOT NULL REFERENCES objects (seq) ON DELETE CASCADE, number INTEGER NOT NULL,
    size INTEGER NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (object, number));
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES buckets (name), key TEXT NOT NULL,
    started TEXT NOT NULL, headers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS upload_parts (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    file TEXT NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, modified TEXT NOT NULL,
    sums TEXT NOT NULL, PRIMARY KEY (upload, number));
BEGIN;
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    file TEXT NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, modified TEXT NOT NULL,
    PRIMARY KEY (upload, number));
INSERT OR IGNORE INTO upload_parts
    SELECT upload, number, file, size, md5, modified, '{}' FROM parts;
DROP TABLE parts;
COMMIT;
"""

DEFAULT_REGION = "us-east-1"  # S3: where a bucket without a LocationConstraint is
# A bucket of an earlier version of this cloud has no region of its own.
BUCKETS = f"""
SELECT * FROM (SELECT b.*, coalesce(json_extract(
    (SELECT s.value FROM bucket_settings s WHERE s.bucket = b.name AND s.name = 'region'), '$'
    ), '{DEFAULT_REGION}') AS region FROM buckets b)
"""  # noqa: S608 - a constant of ours
_SETTING = "SELECT value FROM bucket_settings WHERE bucket = ? AND name = ?"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, or a key in it; `owner` is the account that the caller expects to own it.

    `anywhere`: whether a caller in another region may ask for it.
    """

    bucket: str
    key: str = ""
    owner: str | None = None
    anywhere: bool = False


def bucket_row(services: Services, name: str) -> sqlite3.Row:
    """Return the bucket.

    Raises `ServiceFault`: NoSuchBucket.
    """
    query = f"{BUCKETS} WHERE name = ?"
    row: sqlite3.Row | None = services.store.read().execute(query, (name,)).fetchone()
    if row is None:
        raise ServiceFault(
            "NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": name}
        )
    return row


def allow_bucket(
    services: Services, call: Call, action: str, context: Mapping[str, str] | None = None
) -> sqlite3.Row:
    """Return the bucket of the call, once the caller may do `action` with it."""
    place = Place(call.params["Bucket"], owner=call.params.get("ExpectedBucketOwner"))
    return allow_place(services, call, action, place, context)


def allow_object(
    services: Services, call: Call, action: str, context: Mapping[str, str] | None = None
) -> sqlite3.Row:
    """Return the bucket of the call, once the caller may do `action` with the call's key."""
    owner = call.params.get("ExpectedBucketOwner")
    place = Place(call.params["Bucket"], call.params["Key"], owner)
    return allow_place(services, call, action, place, context)


def allow_place(
    services: Services,
    call: Call,
    action: str,
    place: Place,
    context: Mapping[str, str] | None = None,
) -> sqlite3.Row:
    """Return the bucket of a place, once the caller may do `action` there.

    Raises `ServiceFault`: NoSuchBucket, AccessDenied.
    """
    row = bucket_row(services, place.bucket)
    if not place.anywhere:
        _require_region(call, row)
    if place.owner is not None and place.owner != row["account"]:
        raise ServiceFault("AccessDenied", "Access Denied", 403)
    services.gate.authorize(
        call,
        f"s3:{action}",
        _arn(place),
        resource_account=row["account"],
        resource_policy=_policy(services, call, row),
        context=context or {},
    )
    return row


def _require_region(call: Call, row: sqlite3.Row) -> None:
    """Send a caller who signed for another region to the bucket's; SDKs follow by themselves."""
    if row["region"] != call.region and call.caller.kind != "anonymous":
        code, what = "AuthorizationHeaderMalformed", "The authorization header is malformed"
        if call.presigned:
            code = "AuthorizationQueryParametersError"
            what = "Error parsing the X-Amz-Credential parameter"
        text = f"{what}; the region '{call.region}' is wrong; expecting '{row['region']}'"
        raise ServiceFault(code, text, 400, {"Region": row["region"]})


def admits(services: Services, call: Call) -> bool:
    """Whether the caller may write the call's key: asked before its body is taken at all."""
    place = Place(call.params["Bucket"], call.params["Key"])
    try:
        row = bucket_row(services, place.bucket)
        _require_region(call, row)
        return _would_allow(services, call, row, "PutObject", place, write_context(call))
    except ServiceFault:
        return False


def may_list(services: Services, call: Call, bucket: sqlite3.Row) -> bool:
    """Whether the caller may learn that a key is not there (S3: needs s3:ListBucket)."""
    return _would_allow(services, call, bucket, "ListBucket", Place(bucket["name"]))


def _would_allow(
    services: Services,
    call: Call,
    row: sqlite3.Row,
    action: str,
    place: Place,
    context: Mapping[str, Any] | None = None,
) -> bool:
    return services.gate.would_allow(
        call,
        f"s3:{action}",
        _arn(place),
        resource_account=row["account"],
        resource_policy=_policy(services, call, row),
        context=context or {},
    )


def _arn(place: Place) -> str:
    return f"arn:aws:s3:::{place.bucket}" + (f"/{place.key}" if place.key else "")


def _policy(services: Services, call: Call, row: sqlite3.Row) -> Policy | None:
    """Return the bucket's policy as far as it counts for this caller.

    Where public access is restricted, a public policy counts for nobody of another account (S3
    User Guide, "Blocking public access": RestrictPublicBuckets).
    """
    text = row["policy"]
    if not text:
        return None
    stranger = call.caller.account != row["account"]
    if stranger and is_public(text) and public_access(services, row["name"]).restrict_buckets:
        return services.gate.parse(_without_allows(text), "resource")
    return services.gate.parse(text, "resource")


def _without_allows(text: str) -> str:
    """Return the policy with its Deny statements alone, or with one that denies nothing here."""
    document = json.loads(text)
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    kept = [statement for statement in listed if statement["Effect"] == "Deny"]
    nothing = {"Effect": "Deny", "Principal": "*", "Action": "s3:None", "Resource": "*"}
    return json.dumps({**document, "Statement": kept or [nothing]})


def public_access(services: Services, bucket: str) -> PublicAccess:
    """Return the bucket's block of public access; a new bucket has all of it."""
    found = setting(services, bucket, "public-access")
    return PublicAccess.parse(found) if found is not None else PublicAccess()


def setting(services: Services, bucket: str, name: str) -> Any:
    """Return a setting's JSON value, None where the bucket was not told."""
    row = services.store.read().execute(_SETTING, (bucket, name)).fetchone()
    return json.loads(row["value"]) if row else None


def require_bucket(db: sqlite3.Connection, bucket: sqlite3.Row) -> None:
    """Require, in the transaction that writes, the bucket that the caller was allowed to write.

    Raises `ServiceFault`: NoSuchBucket, where it was deleted (or made again) meanwhile.
    """
    query = "SELECT 1 FROM buckets WHERE name = ? AND account = ? AND created = ?"
    if db.execute(query, (bucket["name"], bucket["account"], bucket["created"])).fetchone() is None:
        members = {"BucketName": bucket["name"]}
        raise ServiceFault("NoSuchBucket", "The specified bucket does not exist", 404, members)


def change_setting(services: Services, bucket: sqlite3.Row, name: str, value: Any) -> None:
    """Keep a setting; None takes it back."""
    with services.store.transaction() as db:
        require_bucket(db, bucket)
        if value is None:
            query = "DELETE FROM bucket_settings WHERE bucket = ? AND name = ?"
            db.execute(query, (bucket["name"], name))
        else:
            query = "INSERT OR REPLACE INTO bucket_settings VALUES (?, ?, ?)"
            db.execute(query, (bucket["name"], name, json.dumps(value)))


def moment(text: str) -> datetime:
    """Return a time of the records."""
    return datetime.fromisoformat(text)
