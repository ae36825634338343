"""Lists of what is under way: the parts of an upload, the uploads of a bucket."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.bucket_rows import allow_bucket, allow_object, moment
from nitro_workflow.cloud.local.s3.lists import Wanted, encode_name, gather, page_size
from nitro_workflow.cloud.local.s3.multipart import find_upload, plan_of

__all__ = ["OPERATIONS"]


def list_parts(services: Services, call: Call) -> Mapping[str, Any]:
    """List the parts that are kept."""
    bucket = allow_object(services, call, "ListMultipartUploadParts")
    db = services.store.read()
    upload = find_upload(db, call)
    most, after = page_size(call, "MaxParts", "max-parts"), call.params.get("PartNumberMarker", 0)
    query = "SELECT * FROM upload_parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?"
    rows = db.execute(query, (upload["id"], after, most + 1)).fetchall()
    truncated = bool(most) and len(rows) > most
    page = {
        "Parts": [_part(row) for row in rows[:most]],
        "PartNumberMarker": after,
        "MaxParts": most,
        "IsTruncated": truncated,
    }
    if truncated:
        page["NextPartNumberMarker"] = rows[most - 1]["number"]
    names = {"Bucket": upload["bucket"], "Key": upload["key"], "UploadId": upload["id"]}
    return {**names, **page, **_owner(bucket), **plan_of(upload).to_members()}


def _owner(bucket: sqlite3.Row) -> dict[str, Any]:
    owner = {"ID": bucket["account"]}
    return {"Owner": owner, "Initiator": owner, "StorageClass": "STANDARD"}


def _part(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "PartNumber": row["number"],
        "LastModified": moment(row["modified"]),
        "ETag": f'"{row["md5"]}"',
        "Size": row["size"],
        **json.loads(row["sums"]),
    }


def list_multipart_uploads(services: Services, call: Call) -> Mapping[str, Any]:
    """List the uploads that are under way, by key and then by their beginning."""
    bucket = allow_bucket(services, call, "ListBucketMultipartUploads")
    params, most = call.params, page_size(call, "MaxUploads", "max-uploads")
    prefix, after = params.get("Prefix", ""), params.get("KeyMarker", "")
    marker = params.get("UploadIdMarker", "") if after else ""
    query = (
        "SELECT *, id AS seq FROM uploads WHERE bucket = ? AND substr(key, 1, ?) = ? AND "
        "(key > ? OR (key = ? AND ? != '' AND id > ?)) ORDER BY key, id"
    )
    values = (bucket["name"], len(prefix), prefix, after, after, marker, marker)
    wanted = Wanted(bucket["name"], prefix, params.get("Delimiter", ""), after, most)
    page = gather(services.store.read().execute(query, values), wanted)
    answer = {
        "Bucket": bucket["name"],
        "Prefix": encode_name(call, prefix),
        "KeyMarker": encode_name(call, after),
        "UploadIdMarker": marker,
        "MaxUploads": most,
        "IsTruncated": page.truncated,
        "Uploads": [_upload(call, bucket, row) for row in page.rows],
        "CommonPrefixes": [{"Prefix": encode_name(call, text)} for text in page.prefixes],
    }
    if "Delimiter" in params:
        answer["Delimiter"] = encode_name(call, params["Delimiter"])
    if "EncodingType" in params:
        answer["EncodingType"] = params["EncodingType"]
    if page.truncated:
        answer["NextKeyMarker"] = encode_name(call, page.end)
        # Behind a common prefix comes another key, whatever its uploads are.
        grouped = page.prefixes[-1:] == [page.end]
        answer["NextUploadIdMarker"] = "" if grouped else page.rows[-1]["id"]
    return answer


def _upload(call: Call, bucket: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "UploadId": row["id"],
        "Key": encode_name(call, row["key"]),
        "Initiated": moment(row["started"]),
        **_owner(bucket),
        **plan_of(row).to_members(),
    }


OPERATIONS: Mapping[str, Handler] = {
    "ListMultipartUploads": list_multipart_uploads,
    "ListParts": list_parts,
}
