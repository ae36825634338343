"""Deletion: of a key (a marker where versions are kept), of one version, of many at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.object_files import allow_object, bucket_row, drop_files
from nitro_workflow.cloud.local.s3.objects import insert_version, new_version

__all__ = ["OPERATIONS"]

_MOST_KEYS = 1000  # S3: one DeleteObjects


def delete_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a key or one version; deleting what is not there succeeds."""
    return _delete(services, call) | {"__status__": 204}


def _delete(services: Services, call: Call) -> dict[str, Any]:
    version = call.params.get("VersionId")
    action = "DeleteObject" if version is None else "DeleteObjectVersion"
    context = {} if version is None else {"s3:VersionId": version}
    bucket = allow_object(services, call, action, context)
    with services.store.transaction() as db:
        if version is not None:
            files, answer = _one_version(db, call, version)
        elif bucket["versioning"]:
            files, answer = _marker(db, call, bucket)
        else:
            files, answer = _one_version(db, call, "null")[0], {}
    drop_files(services, files)
    return answer


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
    if len(wanted) > _MOST_KEYS:
        raise ServiceFault("MalformedXML", f"At most {_MOST_KEYS} keys can be deleted at once.")
    bucket_row(services, call.params["Bucket"])
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for item in wanted:
        names = {name: item[name] for name in ("Key", "VersionId") if name in item}
        try:
            part = replace(call, params={"Bucket": call.params["Bucket"], **names})
            answer = _delete(services, part)
        except ServiceFault as fault:
            errors.append({**names, "Code": fault.code, "Message": fault.message})
            continue
        deleted.append(names | _deleted(answer, names))
    quiet = call.params["Delete"].get("Quiet", False)
    return {"Errors": errors} if quiet else {"Deleted": deleted, "Errors": errors}


def _deleted(answer: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    if not answer.get("DeleteMarker"):
        return {}
    version = names.get("VersionId") or answer["VersionId"]
    return {"DeleteMarker": True, "DeleteMarkerVersionId": version}


OPERATIONS: Mapping[str, Handler] = {
    "DeleteObject": delete_object,
    "DeleteObjects": delete_objects,
}
