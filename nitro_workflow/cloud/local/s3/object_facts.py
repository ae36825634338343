"""What is known of an object beside its bytes: tags, attributes, its ACL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.bucket_rows import moment
from nitro_workflow.cloud.local.s3.lists import page_size
from nitro_workflow.cloud.local.s3.object_headers import (
    check_tags,
    no_acls,
    refuse_acl,
    request_tags,
)
from nitro_workflow.cloud.local.s3.object_rows import readable, version_member
from nitro_workflow.cloud.local.s3.object_sums import COMPOSITE, sum_members
from nitro_workflow.cloud.local.s3.objects import source_place

__all__ = ["OPERATIONS"]


def _row(
    services: Services, call: Call, *actions: str, context: Mapping[str, Any] | None = None
) -> tuple[sqlite3.Row, sqlite3.Row]:
    version = call.params.get("VersionId")
    return readable(services, call, source_place(call), version, actions, context)


def get_object_tagging(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the object's tags."""
    bucket, row = _row(services, call, "GetObjectTagging")
    tags = json.loads(row["headers"]).get("Tags", {})
    found = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSet": found, **version_member(bucket, row["version"])}


def put_object_tagging(services: Services, call: Call) -> Mapping[str, Any]:
    """Replace the object's tags."""
    tags = check_tags(call.params["Tagging"]["TagSet"])
    bucket, row = _row(services, call, "PutObjectTagging", context=request_tags(tags))
    return _set_tags(services, row, tags) | version_member(bucket, row["version"])


def delete_object_tagging(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete the object's tags."""
    bucket, row = _row(services, call, "DeleteObjectTagging")
    answer = _set_tags(services, row, {}) | version_member(bucket, row["version"])
    return answer | {"__status__": 204}


def _set_tags(services: Services, row: sqlite3.Row, tags: Mapping[str, str]) -> dict[str, Any]:
    with services.store.transaction() as db:
        where = "objects WHERE seq = ?"
        found = db.execute(f"SELECT headers FROM {where}", (row["seq"],)).fetchone()  # noqa: S608
        if found is None:
            members = {"Key": row["key"]}
            raise ServiceFault("NoSuchKey", "The specified key does not exist.", 404, members)
        headers = json.loads(found["headers"])
        headers.pop("Tags", None)
        headers |= {"Tags": dict(tags)} if tags else {}
        query = "UPDATE objects SET headers = ? WHERE seq = ?"
        db.execute(query, (json.dumps(headers), row["seq"]))
    return {}


def get_object_attributes(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the attributes that the call names: ETag, checksum, parts, class, size."""
    bucket, row = _row(services, call, "GetObject", "GetObjectAttributes")
    sums = sum_members(json.loads(row["headers"]))
    composite = sums.get("ChecksumType") == COMPOSITE
    # S3 gives a composite checksum without its "-N" here, and the ETag without its quotes.
    found: dict[str, Any] = {
        "ETag": row["etag"].strip('"'),
        "Checksum": {name: text.partition("-")[0] for name, text in sums.items()} or None,
        "ObjectParts": _parts(services, call, row, listed=composite),
        "StorageClass": "STANDARD",
        "ObjectSize": row["size"],
    }
    asked = {name: found.get(name) for name in call.params["ObjectAttributes"]}
    common = {"LastModified": moment(row["modified"]), **version_member(bucket, row["version"])}
    return {name: value for name, value in asked.items() if value is not None} | common


def _parts(
    services: Services, call: Call, row: sqlite3.Row, *, listed: bool
) -> dict[str, Any] | None:
    """Return the parts of an object that came in parts.

    S3 lists them where their checksums make the object's; otherwise it says their number alone.
    """
    query = "SELECT number, size, sums FROM object_parts WHERE object = ? ORDER BY number"
    rows = services.store.read().execute(query, (row["seq"],)).fetchall()
    if not rows:
        return None
    total: dict[str, Any] = {"TotalPartsCount": len(rows)}
    if not listed:
        return total
    most, after = page_size(call, "MaxParts", "max-parts"), call.params.get("PartNumberMarker", 0)
    left = [part for part in rows if part["number"] > after]
    page = [
        {"PartNumber": part["number"], "Size": part["size"], **json.loads(part["sums"])}
        for part in left[:most]
    ]
    truncated = bool(most) and len(left) > most
    said = {"PartNumberMarker": after, "MaxParts": most, "IsTruncated": truncated}
    if truncated:
        said["NextPartNumberMarker"] = page[-1]["PartNumber"]
    return {**total, **said, "Parts": page}


def get_object_acl(services: Services, call: Call) -> Mapping[str, Any]:
    """Give the one ACL there is: the bucket owner's full control."""
    bucket, _ = _row(services, call, "GetObjectAcl")
    grantee = {"ID": bucket["account"], "Type": "CanonicalUser"}
    grants = [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]
    return {"Owner": {"ID": bucket["account"]}, "Grants": grants}


def put_object_acl(services: Services, call: Call) -> Mapping[str, Any]:
    """Accept the canned ACL that says what is so; S3 accepts no other, nor ``private``."""
    _row(services, call, "PutObjectAcl")
    refuse_acl(call.params)
    if call.params.get("ACL") != "bucket-owner-full-control":
        raise no_acls()
    return {}


OPERATIONS: Mapping[str, Handler] = {
    "DeleteObjectTagging": delete_object_tagging,
    "GetObjectAcl": get_object_acl,
    "GetObjectAttributes": get_object_attributes,
    "GetObjectTagging": get_object_tagging,
    "PutObjectAcl": put_object_acl,
    "PutObjectTagging": put_object_tagging,
}
