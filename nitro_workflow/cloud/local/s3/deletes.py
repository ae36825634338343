"""Deletion: of a key (a marker where versions are kept), of one version, of many at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.bucket_rows import allow_object, bucket_row, require_bucket
from nitro_workflow.cloud.local.s3.object_files import drop_files
from nitro_workflow.cloud.local.s3.object_headers import not_implemented
from nitro_workflow.cloud.local.s3.object_rows import (
    insert_version,
    new_version,
    require_version,
)
from nitro_workflow.cloud.local.s3.preconditions import check_delete

__all__ = ["OPERATIONS"]

_MOST_KEYS = 1000  # S3: one DeleteObjects
# Conditions of directory buckets, and a second factor that nobody has here.
_NOT_DONE = ("IfMatchLastModifiedTime", "IfMatchSize", "MFA")


def delete_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a key or one version; deleting what is not there succeeds."""
    return _delete(services, call) | {"__status__": 204}


def _delete(services: Services, call: Call) -> dict[str, Any]:
    version, match = call.params.get("VersionId"), call.params.get("IfMatch")
    _refuse_not_done(call.params)
    require_version(version)
    action = "DeleteObject" if version is None else "DeleteObjectVersion"
    context = {} if version is None else {"s3:VersionId": version}
    if match is not None:
        context["s3:if-match"] = match
    bucket = allow_object(services, call, action, context)
    if match is not None:
        # Who learns whether an ETag matches learns of the content (S3 User Guide).
        allow_object(services, call, "GetObject")
    with services.store.transaction() as db:
        require_bucket(db, bucket)
        check_delete(db, match, bucket["name"], call.params["Key"])
        if version is not None:
            files, answer = _one_version(db, call, version)
        elif bucket["versioning"]:
            files, answer = _marker(db, call, bucket)
        else:
            files, answer = _one_version(db, call, "null")[0], {}
    drop_files(services, files)
    return answer


def _refuse_not_done(params: Mapping[str, Any]) -> None:
    named = [name for name in _NOT_DONE if name in params]
    if "IfMatch" in params and "VersionId" in params:
        named.append("If-Match with a versionId")  # S3 compares the current version only
    if named:
        raise not_implemented(named[0])


def _one_version(
    db: sqlite3.Connection, call: Call, version: str
) -> tuple[list[str | None], dict[str, Any]]:
    place = (call.params["Bucket"], call.params["Key"])
    where = "FROM objects WHERE bucket = ? AND key = ? AND version = ?"
    row = db.execute(f"SELECT * {where}", (*place, version)).fetchone()
    if row is None:
        return [], {"VersionId": version}
    db.execute(f"DELETE {where}", (*place, version))
    db.execute(
        "UPDATE objects SET latest = 1 WHERE seq = "
        "(SELECT max(seq) FROM objects WHERE bucket = ? AND key = ?)",
        place,
    )
    answer: dict[str, Any] = {"VersionId": version}
    return [row["file"]], answer | ({"DeleteMarker": True} if row["marker"] else {})


def _marker(
    db: sqlite3.Connection, call: Call, bucket: sqlite3.Row
) -> tuple[list[str | None], dict[str, Any]]:
    version = new_version(bucket)
    values = {
        "bucket": bucket["name"], "key": call.params["Key"], "version": version, "marker": 1,
        "file": None, "size": 0, "etag": "", "modified": call.now.isoformat(), "headers": "{}",
    }  # fmt: skip
    return insert_version(db, values), {"DeleteMarker": True, "VersionId": version}


def delete_objects(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete up to a thousand; each is decided for itself."""
    wanted = call.params["Delete"]["Objects"]
    if not 1 <= len(wanted) <= _MOST_KEYS:
        raise ServiceFault("MalformedXML", f"1 to {_MOST_KEYS} keys can be deleted at once.")
    if "MFA" in call.params:
        raise not_implemented("MFA")
    bucket_row(services, call.params["Bucket"])
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for item in wanted:
        names = {name: item[name] for name in ("Key", "VersionId") if name in item}
        try:
            _require_named(names)
            answer = _delete(services, replace(call, params=_one_of(call, item, names)))
        except ServiceFault as fault:
            errors.append({**names, "Code": fault.code, "Message": fault.message})
            continue
        deleted.append(names | _deleted(answer, names))
    quiet = call.params["Delete"].get("Quiet", False)
    return {"Errors": errors} if quiet else {"Deleted": deleted, "Errors": errors}


def _require_named(names: Mapping[str, str]) -> None:
    """Refuse an entry whose version id is there and empty; S3 has other words for it here."""
    if names.get("VersionId") == "":
        raise ServiceFault("NoSuchVersion", "The specified version does not exist.", 404)


def _one_of(call: Call, item: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what one entry asks for, as DeleteObject has it."""
    renamed = {"ETag": "IfMatch", "LastModifiedTime": "IfMatchLastModifiedTime",
               "Size": "IfMatchSize"}  # fmt: skip
    conditions = {ours: item[theirs] for theirs, ours in renamed.items() if theirs in item}
    common = {n: call.params[n] for n in ("Bucket", "ExpectedBucketOwner") if n in call.params}
    return {**common, **names, **conditions}


def _deleted(answer: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    if not answer.get("DeleteMarker"):
        return {}
    version = names.get("VersionId") or answer["VersionId"]
    return {"DeleteMarker": True, "DeleteMarkerVersionId": version}


OPERATIONS: Mapping[str, Handler] = {
    "DeleteObject": delete_object,
    "DeleteObjects": delete_objects,
}
