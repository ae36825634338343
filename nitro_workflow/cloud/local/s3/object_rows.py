"""Objects as rows: found, read once the caller may, written as the next version of their key."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.protocol import write_time
from nitro_workflow.cloud.local.s3.bucket_rows import Place, allow_place, may_list, moment
from nitro_workflow.cloud.local.s3.object_headers import existing_tags

__all__ = [
    "KeptPart",
    "find_object",
    "insert_version",
    "new_version",
    "object_part",
    "readable",
    "require_version",
    "version_member",
]

_INSERT_PART = "INSERT INTO object_parts VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class KeptPart:
    """One part of an object that was uploaded in parts; `sums` as S3 writes them."""

    number: int
    size: int
    sums: Mapping[str, str]


def new_version(bucket: sqlite3.Row) -> str:
    """Return the version id of a new object: ``null`` where the bucket keeps no versions."""
    return uuid.uuid4().hex if bucket["versioning"] == "Enabled" else "null"


def version_member(bucket: sqlite3.Row, version: str) -> dict[str, str]:
    """Return the VersionId of an answer; none where the bucket never kept versions."""
    return {"VersionId": version} if bucket["versioning"] else {}


def require_version(version: str | None) -> None:
    """Refuse a version id that is there and empty: nobody means the current version by it.

    Raises `ServiceFault`: InvalidArgument.
    """
    if version == "":
        named = {"ArgumentName": "versionId", "ArgumentValue": ""}
        raise ServiceFault("InvalidArgument", "Version id cannot be the empty string", 400, named)


def insert_version(
    db: sqlite3.Connection, values: Mapping[str, Any], parts: Sequence[KeptPart] = ()
) -> list[str | None]:
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
    seq = db.execute(query, tuple(values.values())).lastrowid
    rows = [(seq, part.number, part.size, json.dumps(dict(part.sums))) for part in parts]
    db.executemany(_INSERT_PART, rows)
    return [row["file"] for row in replaced]


def find_object(
    db: sqlite3.Connection, bucket: str, key: str, version: str | None
) -> sqlite3.Row | None:
    """Return a version of a key, or the latest one; it may be a delete marker."""
    query, values = "SELECT * FROM objects WHERE bucket = ? AND key = ? AND ", (bucket, key)
    if version is None:
        row: sqlite3.Row | None = db.execute(query + "latest = 1", values).fetchone()
    else:
        row = db.execute(query + "version = ?", (*values, version)).fetchone()
    return row


def readable(
    services: Services,
    call: Call,
    place: Place,
    version: str | None,
    actions: Sequence[str] = ("GetObject",),
    context: Mapping[str, Any] | None = None,
) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Return bucket and object, once the caller may do `actions` with it.

    Raises `ServiceFault`: NoSuchBucket, AccessDenied, NoSuchKey, NoSuchVersion, MethodNotAllowed.
    """
    require_version(version)
    row = find_object(services.store.read(), place.bucket, place.key, version)
    known = existing_tags(json.loads(row["headers"]).get("Tags", {}).items()) if row else {}
    asked = {**(context or {}), **known, **({"s3:VersionId": version} if version else {})}
    for action in actions:
        named = action.replace("Object", "ObjectVersion", 1) if version else action
        bucket = allow_place(services, call, named, place, asked)
    if row is not None and not row["marker"]:
        return bucket, row
    if not may_list(services, call, bucket):
        raise ServiceFault("AccessDenied", "Access Denied", 403)
    raise _missing(place.key, row, version)


def _missing(key: str, row: sqlite3.Row | None, version: str | None) -> ServiceFault:
    # S3 API Reference, GetObject: x-amz-delete-marker; Last-Modified where the marker was named.
    headers = {}
    if row is not None:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": row["version"]}
    if row is not None and version is not None:
        text = "The specified method is not allowed against this resource."
        headers |= {
            "allow": "DELETE",
            "last-modified": write_time(moment(row["modified"]), "rfc822"),
        }
        return ServiceFault("MethodNotAllowed", text, 405, headers=headers)
    code, what = ("NoSuchKey", "key") if version is None else ("NoSuchVersion", "version")
    return ServiceFault(code, f"The specified {what} does not exist.", 404, {"Key": key}, headers)


def object_part(
    services: Services, row: sqlite3.Row, number: int
) -> tuple[int, int, KeptPart | None]:
    """Return where a part begins, how many parts there are, and the part.

    An object that came in one piece is its own part 1, of which nothing is kept here.

    Raises `ServiceFault`: InvalidPartNumber.
    """
    query = "SELECT number, size, sums FROM object_parts WHERE object = ? ORDER BY number"
    rows = services.store.read().execute(query, (row["seq"],)).fetchall()
    if number == 1 and not rows:
        return 0, 0, None
    # GetObject counts parts from 1 without gaps, whatever numbers they were uploaded under.
    if not 1 <= number <= len(rows):
        text = "The requested partnumber is not satisfiable"
        members = {"PartNumberRequested": number, "ActualPartCount": max(1, len(rows))}
        raise ServiceFault("InvalidPartNumber", text, 416, members)
    found = rows[number - 1]
    start = sum(earlier["size"] for earlier in rows[: number - 1])
    return start, len(rows), KeptPart(number, found["size"], json.loads(found["sums"]))
