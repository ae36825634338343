"""Listings: keys (v1 and v2), versions; prefix, delimiter, pages."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.s3.object_files import allow_bucket, moment

__all__ = ["OPERATIONS"]

_PAGE = 1000  # S3: keys a page


@dataclass(slots=True)
class _Page:
    """One page while it is gathered: rows and common prefixes count alike."""

    rows: list[sqlite3.Row] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: tuple[str, int] = ("", 0)
    truncated: bool = False

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.prefixes)


def _gather(rows: Iterator[sqlite3.Row], prefix: str, delimiter: str, most: int) -> _Page:
    page = _Page()
    for row in rows:
        rest = row["key"][len(prefix) :]
        head, found, _ = rest.partition(delimiter) if delimiter else ("", "", "")
        group = prefix + head + delimiter if found else ""
        if group and page.prefixes and page.prefixes[-1] == group:
            page.last = (row["key"], row["seq"])
            continue
        if page.count >= most:
            page.truncated = True
            return page
        if group:
            page.prefixes.append(group)
        else:
            page.rows.append(row)
        page.last = (row["key"], row["seq"])
    return page


def _latest(services: Services, bucket: str, prefix: str, after: str) -> Iterator[sqlite3.Row]:
    # Keys are ordered by their UTF-8 bytes, in S3 as in SQLite's BINARY collation.
    query = (
        "SELECT * FROM objects WHERE bucket = ? AND latest = 1 AND marker = 0 AND key > ? "
        "AND key >= ? ORDER BY key"
    )
    for row in services.store.read().execute(query, (bucket, after, prefix)):
        if not row["key"].startswith(prefix):
            return
        yield row


def _context(call: Call) -> dict[str, str]:
    context = {"s3:prefix": call.params.get("Prefix", "")}
    if "Delimiter" in call.params:
        context["s3:delimiter"] = call.params["Delimiter"]
    if "MaxKeys" in call.params:
        context["s3:max-keys"] = str(call.params["MaxKeys"])
    return context


def _common(call: Call, page: _Page, most: int) -> dict[str, Any]:
    params = call.params
    answer: dict[str, Any] = {
        "Name": params["Bucket"],
        "Prefix": _encoded(call, params.get("Prefix", "")),
        "MaxKeys": most,
        "IsTruncated": page.truncated,
        "CommonPrefixes": [{"Prefix": _encoded(call, text)} for text in page.prefixes],
    }
    for name in ("Delimiter", "EncodingType"):
        if name in params:
            answer[name] = params[name]
    return answer


def _encoded(call: Call, text: str) -> str:
    return quote(text, safe="/") if call.params.get("EncodingType") == "url" else text


def _content(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Key": _encoded(call, row["key"]),
        "LastModified": moment(row["modified"]),
        "ETag": row["etag"],
        "Size": row["size"],
        "StorageClass": "STANDARD",
    }


def _list(services: Services, call: Call, after: str) -> tuple[_Page, int]:
    bucket = allow_bucket(services, call, "ListBucket", _context(call))
    params, prefix = call.params, call.params.get("Prefix", "")
    most = min(params.get("MaxKeys", _PAGE), _PAGE)
    rows = _latest(services, bucket["name"], prefix, after)
    return _gather(rows, prefix, params.get("Delimiter", ""), most), most


def list_objects_v2(services: Services, call: Call) -> Mapping[str, Any]:
    """List keys, a page at a time."""
    token = call.params.get("ContinuationToken")
    after = _decoded(token) if token else call.params.get("StartAfter", "")
    page, most = _list(services, call, after)
    answer = _common(call, page, most) | {
        "Contents": [_content(call, row) for row in page.rows],
        "KeyCount": page.count,
    }
    for name in ("ContinuationToken", "StartAfter"):
        if name in call.params:
            answer[name] = call.params[name]
    if page.truncated:
        answer["NextContinuationToken"] = base64.urlsafe_b64encode(page.last[0].encode()).decode()
    return answer


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        text = "The continuation token provided is incorrect"
        raise ServiceFault("InvalidArgument", text) from None


def list_objects(services: Services, call: Call) -> Mapping[str, Any]:
    """List keys as S3's first version does."""
    page, most = _list(services, call, call.params.get("Marker", ""))
    answer = _common(call, page, most) | {
        "Contents": [_content(call, row) for row in page.rows],
        "Marker": call.params.get("Marker", ""),
    }
    if page.truncated:
        answer["NextMarker"] = _encoded(call, page.last[0])
    return answer


def list_object_versions(services: Services, call: Call) -> Mapping[str, Any]:
    """List every version and delete marker, newest first within a key."""
    bucket = allow_bucket(services, call, "ListBucketVersions", _context(call))
    params, prefix = call.params, call.params.get("Prefix", "")
    most = min(params.get("MaxKeys", _PAGE), _PAGE)
    rows = _versions(services, bucket["name"], prefix, call)
    page = _gather(rows, prefix, params.get("Delimiter", ""), most)
    markers = {name: params.get(name, "") for name in ("KeyMarker", "VersionIdMarker")}
    answer = {
        **_common(call, page, most),
        **markers,
        "Versions": [
            {**_content(call, row), **_version(row)} for row in page.rows if not row["marker"]
        ],
        "DeleteMarkers": [
            {
                "Key": _encoded(call, row["key"]),
                "LastModified": moment(row["modified"]),
                **_version(row),
            }
            for row in page.rows
            if row["marker"]
        ],
    }
    if page.truncated:
        answer["NextKeyMarker"] = _encoded(call, page.last[0])
        answer["NextVersionIdMarker"] = str(page.last[1])
    return answer


def _versions(services: Services, bucket: str, prefix: str, call: Call) -> Iterator[sqlite3.Row]:
    key, marker = call.params.get("KeyMarker", ""), call.params.get("VersionIdMarker", "")
    below = int(marker) if marker.isdigit() else 0
    query = (
        "SELECT * FROM objects WHERE bucket = ? AND (key > ? OR (key = ? AND seq < ?)) "
        "AND key >= ? ORDER BY key, seq DESC"
    )
    for row in services.store.read().execute(query, (bucket, key, key, below, prefix)):
        if not row["key"].startswith(prefix):
            return
        yield row


def _version(row: sqlite3.Row) -> dict[str, Any]:
    return {"VersionId": row["version"], "IsLatest": bool(row["latest"])}


OPERATIONS: Mapping[str, Handler] = {
    "ListObjectVersions": list_object_versions,
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects_v2,
}
