"""Multipart uploads: parts are files; completing joins them into one, in the kernel."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import read_decimal
from nitro_workflow.cloud.local.s3.lists import page_size
from nitro_workflow.cloud.local.s3.object_files import (
    allow_object,
    drop_files,
    keep_file,
    moment,
    object_file,
    refuse_safeguards,
    stored_headers,
)
from nitro_workflow.cloud.local.s3.objects import insert_version, new_version

__all__ = ["OPERATIONS"]

_MIN_PART = 5 * 1024**2  # S3: every part but the last
_MAX_NUMBER = 10_000


def create_multipart_upload(services: Services, call: Call) -> Mapping[str, Any]:
    """Begin an upload."""
    bucket, upload = allow_object(services, call, "PutObject"), uuid.uuid4().hex
    refuse_safeguards(call.params)
    key = call.params["Key"]
    headers = json.dumps(stored_headers(call.params, {}))
    values = (upload, bucket["name"], key, call.now.isoformat(), headers)
    with services.store.transaction() as db:
        db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", values)
    return {"Bucket": bucket["name"], "Key": key, "UploadId": upload}


def _upload(db: sqlite3.Connection, call: Call) -> sqlite3.Row:
    query = "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?"
    values = (call.params["UploadId"], call.params["Bucket"], call.params["Key"])
    row: sqlite3.Row | None = db.execute(query, values).fetchone()
    if row is None:
        text = (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed."
        )
        raise ServiceFault("NoSuchUpload", text, 404)
    return row


def upload_part(services: Services, call: Call) -> Mapping[str, Any]:
    """Keep one part; the same number again replaces it."""
    allow_object(services, call, "PutObject")
    refuse_safeguards(call.params)
    number, body = call.params["PartNumber"], call.body
    if body is None or not 1 <= number <= _MAX_NUMBER:
        text = f"Part number must be an integer between 1 and {_MAX_NUMBER}, inclusive"
        raise ServiceFault("InvalidArgument", text)
    upload = _upload(services.store.read(), call)["id"]
    file, md5 = keep_file(services, body.path), body.md5.hex()
    values = (upload, number, file, body.size, md5, call.now.isoformat())
    with services.store.transaction() as db:
        _upload(db, call)
        query = "SELECT file FROM parts WHERE upload = ? AND number = ?"
        replaced = [row["file"] for row in db.execute(query, (upload, number))]
        db.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)", values)
    drop_files(services, replaced)
    return {"ETag": f'"{md5}"', **body.checksums}


def complete_multipart_upload(services: Services, call: Call) -> Mapping[str, Any]:
    """Join the named parts into the object's next version."""
    bucket = allow_object(services, call, "PutObject")
    db = services.store.read()
    upload = _upload(db, call)
    query = "SELECT * FROM parts WHERE upload = ?"
    kept = {row["number"]: row for row in db.execute(query, (upload["id"],))}
    chosen = _choose(call.params.get("MultipartUpload", {}).get("Parts", []), kept)
    digest = hashlib.md5(b"".join(bytes.fromhex(p["md5"]) for p in chosen), usedforsecurity=False)
    etag, version = f'"{digest.hexdigest()}-{len(chosen)}"', new_version(bucket)
    values = {
        "bucket": bucket["name"],
        "key": upload["key"],
        "version": version,
        "marker": 0,
        "file": _join(services, chosen),
        "size": sum(part["size"] for part in chosen),
        "etag": etag,
        "modified": call.now.isoformat(),
        "headers": upload["headers"],
    }
    with services.store.transaction() as writer:
        _upload(writer, call)
        replaced = insert_version(writer, values)
        writer.execute("DELETE FROM uploads WHERE id = ?", (upload["id"],))
    drop_files(services, [*replaced, *(row["file"] for row in kept.values())])
    answer = {"Bucket": bucket["name"], "Key": upload["key"], "ETag": etag}
    return {
        **answer,
        "Location": f"/{bucket['name']}/{upload['key']}",
        **({"VersionId": version} if bucket["versioning"] else {}),
    }


def _choose(
    stated: Sequence[Mapping[str, Any]], kept: Mapping[int, sqlite3.Row]
) -> list[sqlite3.Row]:
    numbers = [part.get("PartNumber", 0) for part in stated]
    if not numbers or numbers != sorted(set(numbers)):
        text = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise ServiceFault("InvalidPartOrder" if numbers else "MalformedXML", text)
    for part in stated:
        row = kept.get(part["PartNumber"])
        if row is None or part.get("ETag", "").strip('"') != row["md5"]:
            text = "One or more of the specified parts could not be found."
            raise ServiceFault("InvalidPart", text)
    chosen = [kept[number] for number in numbers]
    if any(part["size"] < _MIN_PART for part in chosen[:-1]):
        text = "Your proposed upload is smaller than the minimum allowed size"
        raise ServiceFault("EntityTooSmall", text)
    return chosen


def _join(services: Services, parts: Sequence[sqlite3.Row]) -> str:
    draft = services.settings.folder / "incoming" / uuid.uuid4().hex
    try:
        # 0600, as a body that comes in one piece: the folder may be one that others can read.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            for part in parts:
                _append(object_file(services.settings, part["file"]), target.fileno())
            os.fsync(target.fileno())
        return keep_file(services, draft)
    finally:
        draft.unlink(missing_ok=True)


def _append(path: Path, target: int) -> None:
    with path.open("rb") as source:
        size, offset = os.fstat(source.fileno()).st_size, 0
        while offset < size:
            offset += os.sendfile(target, source.fileno(), offset, size - offset)


def abort_multipart_upload(services: Services, call: Call) -> Mapping[str, Any]:
    """Give up an upload and its parts."""
    allow_object(services, call, "AbortMultipartUpload")
    with services.store.transaction() as db:
        upload = _upload(db, call)["id"]
        files = db.execute("SELECT file FROM parts WHERE upload = ?", (upload,)).fetchall()
        db.execute("DELETE FROM uploads WHERE id = ?", (upload,))
    drop_files(services, [row["file"] for row in files])
    return {"__status__": 204}


def list_parts(services: Services, call: Call) -> Mapping[str, Any]:
    """List the parts that are kept."""
    allow_object(services, call, "ListMultipartUploadParts")
    db = services.store.read()
    upload = _upload(db, call)
    query = "SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?"
    most = page_size(call, "MaxParts", "max-parts")
    after = _part_marker(call)
    rows = db.execute(query, (upload["id"], after, most + 1)).fetchall()
    parts = [
        {
            "PartNumber": row["number"],
            "LastModified": moment(row["modified"]),
            "ETag": f'"{row["md5"]}"',
            "Size": row["size"],
        }
        for row in rows[:most]
    ]
    answer = {"Bucket": upload["bucket"], "Key": upload["key"], "UploadId": upload["id"]}
    truncated = bool(most) and len(rows) > most
    page = {"Parts": parts, "MaxParts": most, "IsTruncated": truncated}
    if truncated:
        page["NextPartNumberMarker"] = rows[most - 1]["number"]
    return {**answer, **page}


def _part_marker(call: Call) -> int:
    number = read_decimal(call.params.get("PartNumberMarker") or "0")
    if number is None:
        text = "Argument part-number-marker must be an integer."
        raise ServiceFault("InvalidArgument", text, 400, {"ArgumentName": "part-number-marker"})
    return number


OPERATIONS: Mapping[str, Handler] = {
    "AbortMultipartUpload": abort_multipart_upload,
    "CompleteMultipartUpload": complete_multipart_upload,
    "CreateMultipartUpload": create_multipart_upload,
    "ListParts": list_parts,
    "UploadPart": upload_part,
}
