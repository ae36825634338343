"""Objects: put, get (ranges, versions), head."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import FileSlice
from nitro_workflow.cloud.local.s3.object_files import (
    allow_object,
    drop_files,
    keep_file,
    may_list,
    moment,
    object_file,
    refuse_safeguards,
    stored_headers,
)

__all__ = ["OPERATIONS", "insert_version", "new_version"]

_MAX_KEY_BYTES = 1024  # S3: an object key, in UTF-8
_RESPONSE_HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def new_version(bucket: sqlite3.Row) -> str:
    """Return the version id of a new object: ``null`` where the bucket keeps no versions."""
    return uuid.uuid4().hex if bucket["versioning"] == "Enabled" else "null"


def insert_version(db: sqlite3.Connection, values: Mapping[str, Any]) -> list[str | None]:
    """Make a version the latest of its key; return the files that it replaces.

    `values` has the columns of ``objects`` but `seq` and `latest`.
    """
    place = (values["bucket"], values["key"])
    db.execute("UPDATE objects SET latest = 0 WHERE bucket = ? AND key = ? AND latest = 1", place)
    where = "FROM objects WHERE bucket = ? AND key = ? AND version = ?"
    replaced = db.execute(f"SELECT file {where}", (*place, values["version"])).fetchall()
    db.execute(f"DELETE {where}", (*place, values["version"]))
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    query = f"INSERT INTO objects (latest, {names}) VALUES (1, {marks})"  # noqa: S608 - our columns
    db.execute(query, tuple(values.values()))
    return [row["file"] for row in replaced]


def put_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Keep a body that the server has received, digested and synced."""
    bucket, body = allow_object(services, call, "PutObject"), call.body
    refuse_safeguards(call.params)
    key = call.params["Key"]
    if len(key.encode()) > _MAX_KEY_BYTES:
        raise ServiceFault("KeyTooLongError", "Your key is too long")
    if body is None:
        raise ServiceFault("MissingRequestBodyError", "Request body is empty.")
    _check_conditions(services, call)
    version, etag = new_version(bucket), f'"{body.md5.hex()}"'
    values = {
        "bucket": bucket["name"],
        "key": key,
        "version": version,
        "marker": 0,
        "file": keep_file(services, body.path),
        "size": body.size,
        "etag": etag,
        "modified": call.now.isoformat(),
        "headers": json.dumps(stored_headers(call.params, body.checksums)),
    }
    with services.store.transaction() as db:
        replaced = insert_version(db, values)
    drop_files(services, replaced)
    return {"ETag": etag, **body.checksums, **_version(bucket, version)}


def _check_conditions(services: Services, call: Call) -> None:
    if call.params.get("IfNoneMatch") == "*" and _find(services, call) is not None:
        text = "At least one of the pre-conditions you specified did not hold"
        raise ServiceFault("PreconditionFailed", text, 412, {"Condition": "If-None-Match"})


def _version(bucket: sqlite3.Row, version: str) -> dict[str, str]:
    return {"VersionId": version} if bucket["versioning"] else {}


def _find(services: Services, call: Call) -> sqlite3.Row | None:
    version = call.params.get("VersionId")
    place = (call.params["Bucket"], call.params["Key"])
    query = "SELECT * FROM objects WHERE bucket = ? AND key = ? AND "
    db = services.store.read()
    if version is None:
        row: sqlite3.Row | None = db.execute(query + "latest = 1", place).fetchone()
    else:
        row = db.execute(query + "version = ?", (*place, version)).fetchone()
    return row


def _readable(services: Services, call: Call) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Return bucket and object, once the caller may read it."""
    action = "GetObjectVersion" if "VersionId" in call.params else "GetObject"
    version = call.params.get("VersionId")
    bucket = allow_object(services, call, action, {"s3:VersionId": version} if version else {})
    row = _find(services, call)
    if row is not None and not row["marker"]:
        return bucket, row
    if not may_list(services, call, bucket):
        raise ServiceFault("AccessDenied", "Access Denied", 403)
    if row is not None and "VersionId" in call.params:
        text = "The specified method is not allowed against this resource."
        raise ServiceFault("MethodNotAllowed", text, 405)
    code = "NoSuchVersion" if "VersionId" in call.params else "NoSuchKey"
    what = "version" if code == "NoSuchVersion" else "key"
    text = f"The specified {what} does not exist."
    raise ServiceFault(code, text, 404, {"Key": call.params["Key"]})


def _shape(call: Call, bucket: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    headers = json.loads(row["headers"])
    checksums = headers.pop("Checksums", {})
    shape: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "ContentType": "binary/octet-stream",
        **headers,
        "ETag": row["etag"],
        "LastModified": moment(row["modified"]),
        "ContentLength": row["size"],
        **_version(bucket, row["version"]),
    }
    if call.params.get("ChecksumMode") == "ENABLED" and "Range" not in call.params:
        shape |= checksums
    for name in _RESPONSE_HEADERS:
        if f"Response{name}" in call.params:
            shape[name] = call.params[f"Response{name}"]
    _preconditions(call, row)
    return shape


def _preconditions(call: Call, row: sqlite3.Row) -> None:
    params, modified = call.params, moment(row["modified"]).replace(microsecond=0)
    if "IfMatch" in params and params["IfMatch"].strip('"') not in (row["etag"].strip('"'), "*"):
        raise ServiceFault("PreconditionFailed", "At least one pre-condition did not hold", 412)
    same = params.get("IfNoneMatch", "").strip('"') in (row["etag"].strip('"'), "*")
    since: datetime | None = params.get("IfModifiedSince")
    if ("IfNoneMatch" in params and same) or (since is not None and modified <= since):
        raise ServiceFault("NotModified", "Not Modified", 304)


def get_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Give an object or a range of it; the content streams from its file."""
    bucket, row = _readable(services, call)
    shape = _shape(call, bucket, row)
    start, length = 0, row["size"]
    text = call.params.get("Range")
    if text is not None and (part := _range(text, row["size"])) is not None:
        start, length = part
        shape |= {
            "ContentLength": length,
            "ContentRange": f"bytes {start}-{start + length - 1}/{row['size']}",
            "__status__": 206,
        }
    try:
        file = object_file(services.settings, row["file"]).open("rb")
    except FileNotFoundError:
        # Deleted between the row and the file: as if it had been gone before.
        raise ServiceFault("NoSuchKey", "The specified key does not exist.", 404) from None
    return {**shape, "Body": FileSlice(file, start, length)}


def _range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and length of a byte range (RFC 9110 §14.1.2); None: the whole object."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]), size - 1) if match[2] else size - 1
    else:
        start, end = max(0, size - int(match[2])), size - 1
    if start >= size or (not match[1] and not int(match[2])):
        text = "The requested range is not satisfiable"
        raise ServiceFault("InvalidRange", text, 416, {"ActualObjectSize": size})
    return (start, end - start + 1) if end >= start else None


def head_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Say what GetObject would, without the content."""
    bucket, row = _readable(services, call)
    return _shape(call, bucket, row)


OPERATIONS: Mapping[str, Handler] = {
    "GetObject": get_object,
    "HeadObject": head_object,
    "PutObject": put_object,
}
