"""S3's records and files, and the questions every handler asks first."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault, Settings
from nitro_workflow.cloud.local.handler import Services

__all__ = [
    "SCHEMA",
    "admits",
    "allow_bucket",
    "allow_object",
    "bucket_row",
    "drop_files",
    "keep_file",
    "object_file",
    "refuse_safeguards",
    "sweep",
]

SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, account TEXT NOT NULL, created TEXT NOT NULL,
    versioning TEXT, policy TEXT);
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL REFERENCES buckets (name),
    key TEXT NOT NULL, version TEXT NOT NULL, latest INTEGER NOT NULL, marker INTEGER NOT NULL,
    file TEXT, size INTEGER NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL,
    headers TEXT NOT NULL, UNIQUE (bucket, key, version));
CREATE INDEX IF NOT EXISTS objects_latest ON objects (bucket, latest, key);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES buckets (name), key TEXT NOT NULL,
    started TEXT NOT NULL, headers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    file TEXT NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, modified TEXT NOT NULL,
    PRIMARY KEY (upload, number));
"""


def bucket_row(services: Services, name: str) -> sqlite3.Row:
    """Return the bucket.

    Raises:
        ServiceFault: NoSuchBucket.
    """
    query = "SELECT * FROM buckets WHERE name = ?"
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
    return _allow(services, call, action, "", context or {})


def allow_object(
    services: Services, call: Call, action: str, context: Mapping[str, str] | None = None
) -> sqlite3.Row:
    """Return the bucket of the call, once the caller may do `action` with the call's key."""
    return _allow(services, call, action, f"/{call.params['Key']}", context or {})


def _allow(
    services: Services, call: Call, action: str, suffix: str, context: Mapping[str, str]
) -> sqlite3.Row:
    row = bucket_row(services, call.params["Bucket"])
    owner = call.params.get("ExpectedBucketOwner")
    if owner is not None and owner != row["account"]:
        raise ServiceFault("AccessDenied", "Access Denied", 403)
    policy = services.gate.parse(row["policy"], "resource") if row["policy"] else None
    services.gate.authorize(
        call,
        f"s3:{action}",
        f"arn:aws:s3:::{row['name']}{suffix}",
        resource_account=row["account"],
        resource_policy=policy,
        context=context,
    )
    return row


def admits(services: Services, call: Call) -> bool:
    """Whether the caller may write the call's key: asked before its body is taken at all."""
    query = "SELECT * FROM buckets WHERE name = ?"
    row = services.store.read().execute(query, (call.params["Bucket"],)).fetchone()
    if row is None:
        return False
    return services.gate.would_allow(
        call,
        "s3:PutObject",
        f"arn:aws:s3:::{row['name']}/{call.params['Key']}",
        resource_account=row["account"],
        resource_policy=services.gate.parse(row["policy"], "resource") if row["policy"] else None,
    )


def may_list(services: Services, call: Call, bucket: sqlite3.Row) -> bool:
    """Whether the caller may learn that a key is not there (S3: needs s3:ListBucket)."""
    policy = services.gate.parse(bucket["policy"], "resource") if bucket["policy"] else None
    return services.gate.would_allow(
        call,
        "s3:ListBucket",
        f"arn:aws:s3:::{bucket['name']}",
        resource_account=bucket["account"],
        resource_policy=policy,
    )


def object_file(settings: Settings, name: str) -> Path:
    """Return where the content of that name is kept."""
    return settings.folder / "objects" / name[:2] / name


def keep_file(services: Services, path: Path) -> str:
    """Move a finished file (already on the disk) among the objects; return its name.

    The folder is synced: when the row that names the file is committed, the file is there.
    """
    name = uuid.uuid4().hex
    target = object_file(services.settings, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return name


def drop_files(services: Services, names: list[str | None]) -> None:
    """Delete contents that no row names any more; an open reader keeps what it reads."""
    for name in names:
        if name:
            object_file(services.settings, name).unlink(missing_ok=True)


def sweep(services: Services) -> int:
    """Delete what a killed process left: unfinished bodies, and files that no row names."""
    folder = services.settings.folder
    (folder / "incoming").mkdir(parents=True, exist_ok=True)
    for path in (folder / "incoming").iterdir():
        path.unlink()
    db = services.store.read()
    query = "SELECT file FROM objects WHERE file IS NOT NULL UNION SELECT file FROM parts"
    known = {row["file"] for row in db.execute(query)}
    lost = [path for path in (folder / "objects").glob("*/*") if path.name not in known]
    for path in lost:
        path.unlink()
    return len(lost)


def moment(text: str) -> datetime:
    """Return a time of the records."""
    return datetime.fromisoformat(text)


# What a client asks for so that its object is safer; this cloud has none of it.
_SAFEGUARDS = (
    *("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5", "SSEKMSKeyId"),
    *("SSEKMSEncryptionContext", "ObjectLockMode", "ObjectLockRetainUntilDate"),
)


def refuse_safeguards(params: Mapping[str, Any]) -> None:
    """Refuse to keep in clear, or deletable, what its owner wanted otherwise.

    ``AES256`` is what S3 does at rest by itself, with a key that it gives to nobody.
    """
    named = [name for name in _SAFEGUARDS if params.get(name)]
    if params.get("ServerSideEncryption", "AES256") != "AES256":
        named.insert(0, "ServerSideEncryption")
    if params.get("ObjectLockLegalHoldStatus") == "ON":
        named.append("ObjectLockLegalHoldStatus")
    if named:
        text = f"A header you provided implies functionality that is not implemented: {named[0]}"
        raise ServiceFault("NotImplemented", text, 501, {"Header": named[0]})


def stored_headers(params: Mapping[str, Any], checksums: Mapping[str, str]) -> dict[str, Any]:
    """Return what S3 gives back with an object: content headers, metadata, checksums."""
    names = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage",
             "ContentType", "Metadata")  # fmt: skip
    kept = {name: params[name] for name in names if name in params}
    # aws-chunked says how the request was sent, not what the object is (S3 API Reference).
    codings = [c.strip() for c in kept.pop("ContentEncoding", "").split(",")]
    encoding = ",".join(c for c in codings if c and c != "aws-chunked")
    if encoding:
        kept["ContentEncoding"] = encoding
    return {**kept, "Checksums": dict(checksums)}
