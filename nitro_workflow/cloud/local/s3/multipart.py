"""Multipart uploads: parts are files; completing joins them into one, in the kernel."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import checksum_member, encode_checksum
from nitro_workflow.cloud.local.s3.bucket_rows import allow_object, require_bucket
from nitro_workflow.cloud.local.s3.object_files import (
    Piece,
    digests,
    drop_files,
    join,
    keep_file,
    kept,
)
from nitro_workflow.cloud.local.s3.object_headers import (
    not_implemented,
    refuse_not_done,
    stored_headers,
    write_context,
)
from nitro_workflow.cloud.local.s3.object_rows import (
    KeptPart,
    insert_version,
    new_version,
    version_member,
)
from nitro_workflow.cloud.local.s3.object_sums import (
    COMPOSITE,
    FULL,
    SumPlan,
    stated_sums,
    sum_members,
)
from nitro_workflow.cloud.local.s3.objects import allow_write
from nitro_workflow.cloud.local.s3.preconditions import check_write

__all__ = ["OPERATIONS", "NewPart", "check_part_number", "find_upload", "keep_part", "plan_of"]

_MIN_PART = 5 * 1024**2  # S3: every part but the last
_MAX_NUMBER = 10_000


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part whose content is kept: `md5` in hex, `sums` as S3 writes them."""

    file: str
    size: int
    md5: str
    sums: Mapping[str, str]


def create_multipart_upload(services: Services, call: Call) -> Mapping[str, Any]:
    """Begin an upload."""
    bucket = allow_write(services, call)
    # S3 lists the uploads of one key by their beginning: so their ids sort.
    upload = f"{int(call.now.timestamp() * 1_000_000):014x}{uuid.uuid4().hex}"
    plan, key = SumPlan.of(call.params), call.params["Key"]
    headers = json.dumps({**stored_headers(call.params), **plan.to_members()})
    values = (upload, bucket["name"], key, call.now.isoformat(), headers)
    with services.store.transaction() as db:
        require_bucket(db, bucket)
        db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", values)
    return {"Bucket": bucket["name"], "Key": key, "UploadId": upload, **plan.to_members()}


def find_upload(db: sqlite3.Connection, call: Call) -> sqlite3.Row:
    """Return the upload that the call names.

    Raises `ServiceFault`: NoSuchUpload.
    """
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


def plan_of(upload: sqlite3.Row) -> SumPlan:
    """Return the checksum that the upload said it would use."""
    return SumPlan.of(json.loads(upload["headers"]))


def upload_part(services: Services, call: Call) -> Mapping[str, Any]:
    """Keep one part; the same number again replaces it."""
    allow_object(services, call, "PutObject", write_context(call))
    refuse_not_done(call.params)
    body = call.body
    if body is None:
        raise ServiceFault("MissingRequestBodyError", "Request body is empty.")
    plan = plan_of(find_upload(services.store.read(), call))
    if body.stated or plan.kind == COMPOSITE:
        plan.require(body.algorithm if body.stated else "null")
    check_part_number(call)
    file = keep_file(services, body.path)
    with kept(services, file):
        sums = plan.part_sums(services, file, body.checksums)
        keep_part(services, call, NewPart(file, body.size, body.md5.hex(), sums))
    said = sums if plan.stated else body.checksums
    return {"ETag": f'"{body.md5.hex()}"', **said}


def check_part_number(call: Call) -> None:
    """Refuse a part number that is none.

    Raises `ServiceFault`: InvalidArgument.
    """
    if not 1 <= call.params["PartNumber"] <= _MAX_NUMBER:
        text = f"Part number must be an integer between 1 and {_MAX_NUMBER}, inclusive"
        raise ServiceFault("InvalidArgument", text, 400, {"ArgumentName": "partNumber"})


def keep_part(services: Services, call: Call, part: NewPart) -> None:
    """Name the part's content in the upload's rows; drop what it replaces.

    Raises `ServiceFault`: NoSuchUpload, where it ended meanwhile.
    """
    with services.store.transaction() as db:
        place = (find_upload(db, call)["id"], call.params["PartNumber"])
        query = "SELECT file FROM upload_parts WHERE upload = ? AND number = ?"
        replaced = [row["file"] for row in db.execute(query, place)]
        values = (part.file, part.size, part.md5, call.now.isoformat(), json.dumps(dict(part.sums)))
        query = "INSERT OR REPLACE INTO upload_parts VALUES (?, ?, ?, ?, ?, ?, ?)"
        db.execute(query, (*place, *values))
    drop_files(services, replaced)


def complete_multipart_upload(services: Services, call: Call) -> Mapping[str, Any]:
    """Join the named parts into the object's next version."""
    context = write_context(call)
    bucket = allow_object(services, call, "PutObject", context)
    if "IfMatch" in call.params:
        allow_object(services, call, "GetObject")
    refuse_not_done(call.params)
    db = services.store.read()
    upload = find_upload(db, call)
    query = "SELECT * FROM upload_parts WHERE upload = ?"
    rows = {row["number"]: row for row in db.execute(query, (upload["id"],))}
    stated = call.params.get("MultipartUpload", {}).get("Parts", [])
    chosen = _choose(stated, rows)
    plan_of(upload).require_of_parts(stated)
    file = _joined(services, chosen)
    with kept(services, file):
        headers = _headers(services, call, upload, file, chosen)
        version, etag = new_version(bucket), _etag(chosen)
        values = {
            "bucket": bucket["name"], "key": upload["key"], "version": version, "marker": 0,
            "file": file, "size": sum(part["size"] for part in chosen), "etag": etag,
            "modified": call.now.isoformat(), "headers": json.dumps(headers),
        }  # fmt: skip
        with services.store.transaction() as writer:
            require_bucket(writer, bucket)
            find_upload(writer, call)
            _require_parts(writer, upload["id"], chosen)
            check_write(writer, call, bucket["name"], upload["key"])
            replaced = insert_version(writer, values, _parts(chosen))
            writer.execute("DELETE FROM uploads WHERE id = ?", (upload["id"],))
    drop_files(services, [*replaced, *(row["file"] for row in rows.values())])
    return {
        "Bucket": bucket["name"],
        "Key": upload["key"],
        "ETag": etag,
        "Location": f"/{bucket['name']}/{upload['key']}",
        **sum_members(headers),
        **version_member(bucket, version),
    }


def _etag(parts: Sequence[sqlite3.Row]) -> str:
    digest = hashlib.md5(b"".join(bytes.fromhex(p["md5"]) for p in parts), usedforsecurity=False)
    return f'"{digest.hexdigest()}-{len(parts)}"'


def _parts(rows: Sequence[sqlite3.Row]) -> list[KeptPart]:
    numbered = enumerate(rows, 1)
    return [KeptPart(number, row["size"], json.loads(row["sums"])) for number, row in numbered]


def _headers(
    services: Services, call: Call, upload: sqlite3.Row, file: str, chosen: Sequence[sqlite3.Row]
) -> dict[str, Any]:
    """Return the object's headers with its checksum, which the call's statements must equal."""
    headers, parts = json.loads(upload["headers"]), _parts(chosen)
    plan = plan_of(upload)
    for name in plan.to_members():
        headers.pop(name)
    made = plan.of_parts(parts)
    kind = call.params.get("ChecksumType", plan.kind)
    if plan.stated and kind != plan.kind:
        text = f"The upload was created with the {plan.kind} checksum type, not {kind}."
        raise ServiceFault("InvalidRequest", text)
    for algorithm, value in stated_sums(call.params).items():
        plan.require(algorithm)
        member = checksum_member(algorithm)
        if member not in made.get("Checksums", {}):
            sums = {member: encode_checksum(digests(services, file, [algorithm])[1][0])}
            made = {"Checksums": sums, "ChecksumType": FULL}
        _compare(made, member, value)
    size = call.params.get("MpuObjectSize")
    if size is not None and size != sum(part.size for part in parts):
        text = "The provided 'x-amz-mp-object-size' header value does not match what was computed."
        raise ServiceFault("InvalidRequest", text)
    return {**headers, **made}


def _compare(made: Mapping[str, Any], member: str, stated: str) -> None:
    found = made["Checksums"][member]
    if made["ChecksumType"] == COMPOSITE and "-" not in stated:
        found = found.partition("-")[0]
    if found != stated:
        name = member.removeprefix("Checksum")
        text = f"The {name} you specified did not match the calculated checksum."
        raise ServiceFault("BadDigest", text)


def _choose(
    stated: Sequence[Mapping[str, Any]], rows: Mapping[int, sqlite3.Row]
) -> list[sqlite3.Row]:
    if not stated or not all({"PartNumber", "ETag"} <= part.keys() for part in stated):
        text = "The XML you provided did not validate against our published schema: Part"
        raise ServiceFault("MalformedXML", text)
    numbers = [part["PartNumber"] for part in stated]
    if numbers != sorted(set(numbers)):
        text = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise ServiceFault("InvalidPartOrder", text)
    for number, part in zip(numbers, stated, strict=True):
        _check_stated(part, rows.get(number))
    chosen = [rows[number] for number in numbers]
    small = next((part for part in chosen[:-1] if part["size"] < _MIN_PART), None)
    if small is not None:
        text = "Your proposed upload is smaller than the minimum allowed size"
        sizes = {"ProposedSize": small["size"], "MinSizeAllowed": _MIN_PART}
        members = {**sizes, "PartNumber": small["number"], "ETag": small["md5"]}
        raise ServiceFault("EntityTooSmall", text, 400, members)
    return chosen


def _check_stated(part: Mapping[str, Any], row: sqlite3.Row | None) -> None:
    """Compare what the call says of a part with what was kept: its ETag, every checksum."""
    same = row is not None and part.get("ETag", "").strip('"') == row["md5"]
    sums = json.loads(row["sums"]) if row is not None else {}
    stated = {checksum_member(name): value for name, value in stated_sums(part).items()}
    if not same or any(sums.get(member) != value for member, value in stated.items()):
        raise _invalid_part()


def _invalid_part() -> ServiceFault:
    text = (
        "One or more of the specified parts could not be found. The part may not have been "
        "uploaded, or the specified entity tag or checksum may not match the part's."
    )
    return ServiceFault("InvalidPart", text)


def _joined(services: Services, parts: Sequence[sqlite3.Row]) -> str:
    try:
        return join(services, [Piece(part["file"], 0, part["size"]) for part in parts])
    except FileNotFoundError:
        raise _invalid_part() from None  # uploaded again while it was joined


def _require_parts(db: sqlite3.Connection, upload: str, parts: Sequence[sqlite3.Row]) -> None:
    """Require that the parts which were joined are the ones that are named now."""
    query = "SELECT file FROM upload_parts WHERE upload = ?"
    known = {row["file"] for row in db.execute(query, (upload,))}
    if not {part["file"] for part in parts} <= known:
        raise _invalid_part()


def abort_multipart_upload(services: Services, call: Call) -> Mapping[str, Any]:
    """Give up an upload and its parts."""
    allow_object(services, call, "AbortMultipartUpload")
    if "IfMatchInitiatedTime" in call.params:  # a condition of directory buckets
        raise not_implemented("x-amz-if-match-initiated-time")
    with services.store.transaction() as db:
        upload = find_upload(db, call)["id"]
        query = "SELECT file FROM upload_parts WHERE upload = ?"
        files = db.execute(query, (upload,)).fetchall()
        db.execute("DELETE FROM uploads WHERE id = ?", (upload,))
    drop_files(services, [row["file"] for row in files])
    return {"__status__": 204}


OPERATIONS: Mapping[str, Handler] = {
    "AbortMultipartUpload": abort_multipart_upload,
    "CompleteMultipartUpload": complete_multipart_upload,
    "CreateMultipartUpload": create_multipart_upload,
    "UploadPart": upload_part,
}
