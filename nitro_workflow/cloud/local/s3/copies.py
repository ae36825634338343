"""Copies inside the cloud: CopyObject, UploadPartCopy. Bytes move in the kernel."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import checksum_member, encode_checksum
from nitro_workflow.cloud.local.s3.bucket_rows import Place, allow_object, require_bucket
from nitro_workflow.cloud.local.s3.multipart import (
    NewPart,
    check_part_number,
    find_upload,
    keep_part,
    plan_of,
)
from nitro_workflow.cloud.local.s3.object_files import Piece, digests, drop_files, join, kept
from nitro_workflow.cloud.local.s3.object_headers import (
    refuse_not_done,
    request_tags,
    stored_headers,
    write_context,
)
from nitro_workflow.cloud.local.s3.object_rows import (
    insert_version,
    new_version,
    readable,
    version_member,
)
from nitro_workflow.cloud.local.s3.object_sums import (
    FULL,
    require_algorithm,
    stated_sums,
    sum_members,
)
from nitro_workflow.cloud.local.s3.objects import allow_write
from nitro_workflow.cloud.local.s3.preconditions import check_copy_source, check_write

__all__ = ["OPERATIONS"]

_MAX_BYTES = 5 * 1024**3  # S3: one CopyObject, one UploadPartCopy
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")
# What a copy of an object onto itself must change (S3 API Reference, CopyObject).
_CHANGES = ("ServerSideEncryption", "StorageClass", "WebsiteRedirectLocation", "ChecksumAlgorithm")


@dataclass(frozen=True, slots=True)
class _Source:
    """What is copied: the bucket's and the object's row, and the version that was named."""

    bucket: sqlite3.Row
    row: sqlite3.Row
    version: str | None
    place: Place

    @property
    def headers(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.row["headers"])
        return found

    @property
    def members(self) -> dict[str, str]:
        named = version_member(self.bucket, self.row["version"])
        return {f"CopySource{name}": value for name, value in named.items()}


def _source(services: Services, call: Call) -> _Source:
    """Return the source, once the caller may read it and its conditions hold."""
    text = call.params["CopySource"]
    path, found, version = text.partition("?versionId=")
    bucket, _, key = _decoded(path.removeprefix("/")).partition("/")
    if not bucket or not key or bucket.startswith("arn:") or (found and not version):
        text = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise ServiceFault("InvalidArgument", text, 400, {"ArgumentName": "x-amz-copy-source"})
    owner = call.params.get("ExpectedSourceBucketOwner")
    place = Place(bucket, key, owner, anywhere=True)
    named = _decoded(version) if found else None
    try:
        bucket_found, row = readable(services, call, place, named)
    except ServiceFault as fault:
        if fault.code != "MethodNotAllowed":
            raise
        text = "The source of a copy request may not refer to a delete marker by its version id."
        raise ServiceFault("InvalidRequest", text) from None
    check_copy_source(call.params, row)
    return _Source(bucket_found, row, named, place)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        named = {"ArgumentName": "x-amz-copy-source"}
        raise ServiceFault("InvalidArgument", "Invalid copy source encoding.", 400, named) from None


def copy_object(services: Services, call: Call) -> Mapping[str, Any]:
    """Copy an object with its metadata and tags, or with those of the request."""
    bucket, source = allow_write(services, call), _source(services, call)
    if source.row["size"] > _MAX_BYTES:
        text = (
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {_MAX_BYTES}"
        )
        raise ServiceFault("InvalidRequest", text)
    _refuse_a_copy_that_changes_nothing(call, source)
    headers = _headers(services, call, source)
    file = _copied(services, source, Piece(source.row["file"], 0, source.row["size"]))
    with kept(services, file):
        etag, sums = _digested(services, call, source, file)
        values = {
            "bucket": bucket["name"], "key": call.params["Key"], "version": new_version(bucket),
            "marker": 0, "file": file, "size": source.row["size"], "etag": etag,
            "modified": call.now.isoformat(), "headers": json.dumps({**headers, **sums}),
        }  # fmt: skip
        with services.store.transaction() as db:
            require_bucket(db, bucket)
            check_write(db, call, bucket["name"], call.params["Key"])
            replaced = insert_version(db, values)
    drop_files(services, replaced)
    result = {"ETag": etag, "LastModified": call.now, **sum_members(sums)}
    version = version_member(bucket, str(values["version"]))
    return {"CopyObjectResult": result, **source.members, **version}


def _refuse_a_copy_that_changes_nothing(call: Call, source: _Source) -> None:
    params = call.params
    same = (source.place.bucket, source.place.key) == (params["Bucket"], params["Key"])
    changed = "REPLACE" in (params.get("MetadataDirective"), params.get("TaggingDirective"))
    if same and source.version is None and not changed and not any(params.get(n) for n in _CHANGES):
        text = (
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes."
        )
        raise ServiceFault("InvalidRequest", text)


def _headers(services: Services, call: Call, source: _Source) -> dict[str, Any]:
    """Return the copy's headers: metadata and tags go each by its own directive."""
    params, theirs = call.params, source.headers
    ours = stored_headers(params)
    headers = dict(ours if params.get("MetadataDirective") == "REPLACE" else theirs)
    for name in ("Tags", "Checksums", "ChecksumType"):
        headers.pop(name, None)
    if "WebsiteRedirectLocation" in ours:
        headers["WebsiteRedirectLocation"] = ours["WebsiteRedirectLocation"]
    tags = ours.get("Tags", {})
    if params.get("TaggingDirective") != "REPLACE":
        tags = theirs.get("Tags", {})
        _allow_tags(services, call, source, tags)
    return headers | ({"Tags": tags} if tags else {})


def _allow_tags(services: Services, call: Call, source: _Source, tags: Mapping[str, str]) -> None:
    """Ask for what copying tags needs: to read them there, to write them here."""
    if tags:
        readable(services, call, source.place, source.version, ("GetObjectTagging",))
        allow_object(services, call, "PutObjectTagging", request_tags(tags))


def _copied(services: Services, source: _Source, piece: Piece) -> str:
    try:
        return join(services, [piece])
    except FileNotFoundError:
        # Deleted between the row and the file: as if it had been gone before.
        members = {"Key": source.place.key}
        text = "The specified key does not exist."
        raise ServiceFault("NoSuchKey", text, 404, members) from None


def _digested(
    services: Services, call: Call, source: _Source, file: str
) -> tuple[str, dict[str, Any]]:
    """Return the copy's ETag and checksum; both are the source's where that was one piece."""
    known = stated_sums(source.headers.get("Checksums", {}))
    wanted = call.params.get("ChecksumAlgorithm") or next(iter(known), "CRC64NVME")
    require_algorithm(wanted)
    if "-" not in source.row["etag"] and wanted in known:
        etag, value = source.row["etag"], known[wanted]
    else:
        md5, (computed,) = digests(services, file, [wanted])
        etag, value = f'"{md5.hex()}"', encode_checksum(computed)
    return etag, {"Checksums": {checksum_member(wanted): value}, "ChecksumType": FULL}


def upload_part_copy(services: Services, call: Call) -> Mapping[str, Any]:
    """Take a part of an upload from an object, or from a range of it."""
    allow_object(services, call, "PutObject", write_context(call))
    refuse_not_done(call.params)
    source = _source(services, call)
    upload = find_upload(services.store.read(), call)
    check_part_number(call)
    piece, plan = _piece(call, source), plan_of(upload)
    file = _copied(services, source, piece)
    with kept(services, file):
        md5, (computed,) = digests(services, file, [plan.algorithm])
        named = {plan.member: encode_checksum(computed)}
        keep_part(services, call, NewPart(file, piece.length, md5.hex(), named))
    said = named if plan.stated else {}
    result = {"ETag": f'"{md5.hex()}"', "LastModified": call.now, **said}
    return {"CopyPartResult": result, **source.members}


def _piece(call: Call, source: _Source) -> Piece:
    text, size = call.params.get("CopySourceRange"), source.row["size"]
    start, end = 0, size - 1
    if text is not None:
        match = _RANGE.fullmatch(text)
        start, end = (int(match[1]), int(match[2])) if match else (1, 0)
        if not start <= end < size:
            text = f"Range specified is not valid for source object of size: {size}"
            named = {"ArgumentName": "x-amz-copy-source-range"}
            raise ServiceFault("InvalidArgument", text, 400, named)
    if end - start + 1 > _MAX_BYTES:
        text = f"The specified copy range is larger than a part may be: {_MAX_BYTES}"
        raise ServiceFault("InvalidRequest", text)
    return Piece(source.row["file"], start, end - start + 1)


OPERATIONS: Mapping[str, Handler] = {
    "CopyObject": copy_object,
    "UploadPartCopy": upload_part_copy,
}
