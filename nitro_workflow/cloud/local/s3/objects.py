"""Objects: put, get (ranges, parts, versions), head, what is known of one."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import FileSlice, write_time
from nitro_workflow.cloud.local.s3.bucket_rows import Place, allow_object, moment, require_bucket
from nitro_workflow.cloud.local.s3.object_files import drop_files, keep_file, kept, object_file
from nitro_workflow.cloud.local.s3.object_headers import (
    check_key,
    given_headers,
    refuse_another_owner,
    refuse_not_done,
    stored_headers,
    write_context,
)
from nitro_workflow.cloud.local.s3.object_rows import (
    insert_version,
    new_version,
    object_part,
    readable,
    version_member,
)
from nitro_workflow.cloud.local.s3.object_sums import COMPOSITE, FULL, sum_members
from nitro_workflow.cloud.local.s3.preconditions import check_read, check_write, same_for_range

__all__ = ["OPERATIONS", "allow_write", "source_place"]

_RESPONSE_HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
)
# RFC 9110 §14.1: the unit's name has no case; 2^64 - 1, which some clients send, has 20 digits.
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)


def allow_write(services: Services, call: Call) -> sqlite3.Row:
    """Return the bucket, once the caller may write the call's key as its headers ask.

    Tags need their own permission; a condition on what is there needs leave to read it (S3 User
    Guide, "How to prevent object overwrites with conditional writes").
    """
    context = write_context(call)
    bucket = allow_object(services, call, "PutObject", context)
    if call.params.get("Tagging"):
        allow_object(services, call, "PutObjectTagging", context)
    if "IfMatch" in call.params:
        allow_object(services, call, "GetObject")
    refuse_not_done(call.params)
    refuse_another_owner(call, bucket["account"])
    check_key(call.params["Key"])
    return bucket


def put_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Keep a body that the server has received, digested and synced."""
    bucket, body = allow_write(services, call), call.body
    headers = stored_headers(call.params)
    if body is None:
        raise ServiceFault("MissingRequestBodyError", "Request body is empty.")
    version, etag = new_version(bucket), f'"{body.md5.hex()}"'
    headers |= {"Checksums": dict(body.checksums), "ChecksumType": FULL}
    values = {
        "bucket": bucket["name"],
        "key": call.params["Key"],
        "version": version,
        "marker": 0,
        "file": keep_file(services, body.path),
        "size": body.size,
        "etag": etag,
        "modified": call.now.isoformat(),
        "headers": json.dumps(headers),
    }
    with kept(services, str(values["file"])), services.store.transaction() as db:
        require_bucket(db, bucket)
        check_write(db, call, bucket["name"], call.params["Key"])
        replaced = insert_version(db, values)
    drop_files(services, replaced)
    return {"ETag": etag, **sum_members(headers), **version_member(bucket, version)}


def source_place(call: Call) -> Place:
    """Return the place that a read is about."""
    owner = call.params.get("ExpectedBucketOwner")
    return Place(call.params["Bucket"], call.params["Key"], owner)


def _shape(call: Call, bucket: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    check_read(call.params, row)
    shape: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "ContentType": "binary/octet-stream",
        **given_headers(json.loads(row["headers"])),
        "ETag": row["etag"],
        "LastModified": moment(row["modified"]),
        "ContentLength": row["size"],
        **version_member(bucket, row["version"]),
    }
    given = [name for name in _RESPONSE_HEADERS if f"Response{name}" in call.params]
    if given and call.caller.kind == "anonymous":
        text = "Request specific response headers cannot be used for anonymous GET requests."
        raise ServiceFault("InvalidRequest", text, 400)
    return shape | {name: _as_header(call.params[f"Response{name}"]) for name in given}


def _as_header(value: str | datetime) -> str:
    return write_time(value, "rfc822") if isinstance(value, datetime) else value


def _wants_sums(call: Call) -> bool:
    return str(call.params.get("ChecksumMode", "")).upper() == "ENABLED"


def _part_of(
    services: Services, call: Call, row: sqlite3.Row
) -> tuple[int, int, Mapping[str, Any]]:
    """Return start and length of what is asked for, and the members that say so."""
    text, number, size = call.params.get("Range"), call.params.get("PartNumber"), row["size"]
    if text is not None and number is not None:
        text = "Cannot specify both Range header and partNumber query parameter"
        raise ServiceFault("InvalidRequest", text)
    if number is not None:
        return _numbered_part(services, call, row, number)
    if text is not None and not same_for_range(call.if_range, row):
        text = None  # RFC 9110 §13.1.5: who resumes another object gets all of this one
    if text is not None and (part := _range(text, size)) is not None:
        return (*part, _said(*part, size))
    sums = sum_members(json.loads(row["headers"])) if _wants_sums(call) else {}
    return 0, size, sums


def _numbered_part(
    services: Services, call: Call, row: sqlite3.Row, number: int
) -> tuple[int, int, Mapping[str, Any]]:
    start, count, part = object_part(services, row, number)
    length, sums = row["size"], sum_members(json.loads(row["headers"]))
    if part is not None:
        # S3 keeps the checksums of parts only where they make the object's.
        kind = sums.get("ChecksumType")
        length, sums = part.size, {**part.sums, "ChecksumType": kind} if kind == COMPOSITE else {}
    said = _said(start, length, row["size"]) if length else {}
    if _wants_sums(call):
        said |= sums
    return start, length, said | ({"PartsCount": count} if count else {})


def _said(start: int, length: int, size: int) -> dict[str, Any]:
    said = f"bytes {start}-{start + length - 1}/{size}"
    return {"ContentLength": length, "ContentRange": said, "__status__": 206}


def get_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Give an object, a range or a part of it; the content streams from its file."""
    bucket, row = readable(services, call, source_place(call), call.params.get("VersionId"))
    shape = _shape(call, bucket, row)
    start, length, said = _part_of(services, call, row)
    try:
        file = object_file(services.settings, row["file"]).open("rb")
    except FileNotFoundError:
        # Deleted between the row and the file: as if it had been gone before.
        raise ServiceFault("NoSuchKey", "The specified key does not exist.", 404) from None
    return {**shape, **said, "Body": FileSlice(file, start, length)}


def _range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and length of a byte range (RFC 9110 §14.1.2); None: the whole object."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    if match[1] and match[2] and int(match[2]) < int(match[1]):
        return None
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]), size - 1) if match[2] else size - 1
    else:
        start, end = max(0, size - int(match[2])), size - 1
    if start >= size or (not match[1] and not int(match[2])):
        members = {"RangeRequested": text, "ActualObjectSize": size}
        said = {"content-range": f"bytes */{size}"}
        text = "The requested range is not satisfiable"
        raise ServiceFault("InvalidRange", text, 416, members, said)
    return start, end - start + 1


def head_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Say what GetObject would, without the content."""
    bucket, row = readable(services, call, source_place(call), call.params.get("VersionId"))
    return {**_shape(call, bucket, row), **_part_of(services, call, row)[2]}


OPERATIONS: Mapping[str, Handler] = {
    "GetObject": get_object,
    "HeadObject": head_object,
    "PutObject": put_object,
}
