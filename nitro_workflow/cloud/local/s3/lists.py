"""Listings: keys (v1 and v2), versions; prefix, delimiter, pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import PageTokens
from nitro_workflow.cloud.local.s3.bucket_rows import allow_bucket, moment

__all__ = ["OPERATIONS", "Page", "Wanted", "encode_name", "gather", "page_size"]

_PAGE = 1000  # S3: the most of one page, and the default
_MAX_INTEGER = 2**31 - 1  # S3: "an integer between 0 and 2147483647"
_KEYS = PageTokens(
    "ListObjectsV2", "InvalidArgument", "The continuation token provided is incorrect"
)
_VERSIONS = PageTokens("ListObjectVersions", "InvalidArgument", "Invalid version id specified")


def page_size(call: Call, name: str, wire: str) -> int:
    """Return how many entries one page of a list may have.

    Raises `ServiceFault`: InvalidArgument, for a negative number or one that is no 32-bit integer.
    """
    wanted = int(call.params.get(name, _PAGE))
    if not 0 <= wanted <= _MAX_INTEGER:
        text = f"Argument {wire} must be an integer between 0 and {_MAX_INTEGER}"
        raise ServiceFault("InvalidArgument", text, 400, {"ArgumentName": wire})
    return min(wanted, _PAGE)


@dataclass(slots=True)
class Page:
    """One page while it is gathered: rows and common prefixes count alike.

    `last` is the last row that the page covers, `end` its last entry: a key or a common prefix.
    """

    rows: list[sqlite3.Row] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: tuple[str, int] = ("", 0)
    end: str = ""
    truncated: bool = False

    @property
    def count(self) -> int:
        """How many entries the page has."""
        return len(self.rows) + len(self.prefixes)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list asks for: at most `most` entries behind `after`, grouped at the delimiter."""

    bucket: str
    prefix: str
    delimiter: str
    after: str
    most: int

    def group(self, key: str) -> str:
        """Return the common prefix that stands for the key; "" where it stands for itself."""
        head, found, _ = key[len(self.prefix) :].partition(self.delimiter or "\0")
        return self.prefix + head + found if found and self.delimiter else ""


def gather(rows: Iterator[sqlite3.Row], wanted: Wanted) -> Page:
    """Return the next page of rows that are ordered by their column `key`, then by `seq`."""
    page = Page()
    if not wanted.most:
        return page  # S3: a page of none is whole, and nothing follows it
    for row in rows:
        group = wanted.group(row["key"])
        # A marker that is a common prefix stands for everything in it.
        if group and (group == wanted.after or page.prefixes[-1:] == [group]):
            page.last = (row["key"], row["seq"])
            continue
        if page.count >= wanted.most:
            page.truncated = True
            return page
        if group:
            page.prefixes.append(group)
        else:
            page.rows.append(row)
        page.last, page.end = (row["key"], row["seq"]), group or row["key"]
    return page


def _latest(services: Services, wanted: Wanted) -> Iterator[sqlite3.Row]:
    # Keys are ordered by their UTF-8 bytes, in S3 as in SQLite's BINARY collation.
    query = (
        "SELECT * FROM objects WHERE bucket = ? AND latest = 1 AND marker = 0 AND key > ? "
        "AND key >= ? ORDER BY key"
    )
    values = (wanted.bucket, wanted.after, wanted.prefix)
    for row in services.store.read().execute(query, values):
        if not row["key"].startswith(wanted.prefix):
            return
        yield row


def _context(call: Call) -> dict[str, str]:
    context = {"s3:prefix": call.params.get("Prefix", "")}
    if "Delimiter" in call.params:
        context["s3:delimiter"] = call.params["Delimiter"]
    if "MaxKeys" in call.params:
        context["s3:max-keys"] = str(call.params["MaxKeys"])
    return context


def _common(call: Call, page: Page, most: int) -> dict[str, Any]:
    params = call.params
    answer: dict[str, Any] = {
        "Name": params["Bucket"],
        "Prefix": encode_name(call, params.get("Prefix", "")),
        "MaxKeys": most,
        "IsTruncated": page.truncated,
        "CommonPrefixes": [{"Prefix": encode_name(call, text)} for text in page.prefixes],
    }
    if "Delimiter" in params:
        answer["Delimiter"] = encode_name(call, params["Delimiter"])
    if "EncodingType" in params:
        answer["EncodingType"] = params["EncodingType"]
    return answer


def encode_name(call: Call, text: str) -> str:
    """Return a key, or a part of one, as the call's EncodingType asks for it."""
    return quote(text, safe="/") if call.params.get("EncodingType") == "url" else text


def _content(call: Call, bucket: sqlite3.Row, row: sqlite3.Row, *, owner: bool) -> dict[str, Any]:
    content = {
        "Key": encode_name(call, row["key"]),
        "LastModified": moment(row["modified"]),
        "ETag": row["etag"],
        "Size": row["size"],
        "StorageClass": "STANDARD",
    }
    return content | ({"Owner": {"ID": bucket["account"]}} if owner else {})


def _list(services: Services, call: Call, after: str) -> tuple[sqlite3.Row, Page, int]:
    bucket = allow_bucket(services, call, "ListBucket", _context(call))
    wanted = _wanted(call, bucket["name"], after)
    return bucket, gather(_latest(services, wanted), wanted), wanted.most


def _wanted(call: Call, bucket: str, after: str) -> Wanted:
    params, most = call.params, page_size(call, "MaxKeys", "max-keys")
    return Wanted(bucket, params.get("Prefix", ""), params.get("Delimiter", ""), after, most)


def list_objects_v2(services: Services, call: Call) -> Mapping[str, Any]:
    """List keys, a page at a time."""
    after = _KEYS.read(call.params.get("ContinuationToken")) or call.params.get("StartAfter", "")
    bucket, page, most = _list(services, call, after)
    owner = call.params.get("FetchOwner", False)
    answer = _common(call, page, most) | {
        "Contents": [_content(call, bucket, row, owner=owner) for row in page.rows],
        "KeyCount": page.count,
    }
    if "ContinuationToken" in call.params:
        answer["ContinuationToken"] = call.params["ContinuationToken"]
    if "StartAfter" in call.params:
        answer["StartAfter"] = encode_name(call, call.params["StartAfter"])
    if page.truncated:
        answer["NextContinuationToken"] = _KEYS.write(page.last[0])
    return answer


def list_objects(services: Services, call: Call) -> Mapping[str, Any]:
    """List keys as S3's first version does."""
    after = call.params.get("Marker", "")
    bucket, page, most = _list(services, call, after)
    answer = _common(call, page, most) | {
        "Contents": [_content(call, bucket, row, owner=True) for row in page.rows],
        "Marker": encode_name(call, after),
    }
    # S3 API Reference, ListObjects: only with a delimiter; otherwise the last key is the marker.
    if page.truncated and call.params.get("Delimiter"):
        answer["NextMarker"] = encode_name(call, page.end)
    return answer


def list_object_versions(services: Services, call: Call) -> Mapping[str, Any]:
    """List every version and delete marker, newest first within a key."""
    bucket = allow_bucket(services, call, "ListBucketVersions", _context(call))
    wanted = _wanted(call, bucket["name"], call.params.get("KeyMarker", ""))
    page = gather(_versions(services, call, wanted), wanted)
    answer = {
        **_common(call, page, wanted.most),
        "KeyMarker": encode_name(call, wanted.after),
        "VersionIdMarker": call.params.get("VersionIdMarker", ""),
        "Versions": [
            {**_content(call, bucket, row, owner=True), **_version(row)}
            for row in page.rows
            if not row["marker"]
        ],
        "DeleteMarkers": [_marker(call, bucket, row) for row in page.rows if row["marker"]],
    }
    if page.truncated:
        answer["NextKeyMarker"] = encode_name(call, page.last[0])
        answer["NextVersionIdMarker"] = _VERSIONS.write(page.last[1])
    return answer


def _versions(services: Services, call: Call, wanted: Wanted) -> Iterator[sqlite3.Row]:
    query = (
        "SELECT * FROM objects WHERE bucket = ? AND (key > ? OR (key = ? AND seq < ?)) "
        "AND key >= ? ORDER BY key, seq DESC"
    )
    below = _below(services, call, wanted)
    values = (wanted.bucket, wanted.after, wanted.after, below, wanted.prefix)
    for row in services.store.read().execute(query, values):
        if not row["key"].startswith(wanted.prefix):
            return
        yield row


def _below(services: Services, call: Call, wanted: Wanted) -> int:
    """Return the place of the version marker within its key: a version's id, or a page's end.

    A page ends with a place and not with an id, so that the listing goes on when the version has
    been deleted in between (a script that empties a bucket does so).
    """
    marker = call.params.get("VersionIdMarker")
    if not marker:
        return 0
    if not wanted.after:
        text = "A version-id marker cannot be specified without a key marker."
        raise ServiceFault("InvalidArgument", text, 400, {"ArgumentName": "version-id-marker"})
    query = "SELECT seq FROM objects WHERE bucket = ? AND key = ? AND version = ?"
    found = services.store.read().execute(query, (wanted.bucket, wanted.after, marker)).fetchone()
    return int(found["seq"]) if found else _VERSIONS.read_position(marker)


def _marker(call: Call, bucket: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    owner, modified = {"ID": bucket["account"]}, moment(row["modified"])
    names = {"Key": encode_name(call, row["key"]), "Owner": owner}
    return {**names, "LastModified": modified, **_version(row)}


def _version(row: sqlite3.Row) -> dict[str, Any]:
    return {"VersionId": row["version"], "IsLatest": bool(row["latest"])}


OPERATIONS: Mapping[str, Handler] = {
    "ListObjectVersions": list_object_versions,
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects_v2,
}
