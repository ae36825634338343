"""Conditional requests: on reads, on writes (inside their transaction), on a copy's source.

Sources: RFC 9110 §13.2.2 (the order); Amazon S3 User Guide, "Add preconditions to S3 operations
with conditional requests".
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.protocol import write_time
from nitro_workflow.cloud.local.s3.bucket_rows import moment
from nitro_workflow.cloud.local.s3.object_headers import not_implemented

__all__ = [
    "check_copy_source",
    "check_delete",
    "check_read",
    "check_write",
    "etag_matches",
    "same_for_range",
]

_FAILED = "At least one of the pre-conditions you specified did not hold"


def etag_matches(stated: str, etag: str, *, weakly: bool = False) -> bool:
    """Whether an If-Match or If-None-Match (a list, ``*``, quoted or not) names this ETag.

    A weak tag (``W/"…"``) does so for If-None-Match alone (`weakly`; RFC 9110 §8.8.3.2).

    >>> etag_matches('"a", "b"', '"b"'), etag_matches("*", '"b"'), etag_matches('"a"', '"b"')
    (True, True, False)
    >>> etag_matches('W/"b"', '"b"'), etag_matches('W/"b"', '"b"', weakly=True)
    (False, True)
    """
    if stated.strip() == "*":
        return True
    named = [part.strip() for part in stated.split(",")]
    if weakly:
        named = [part.removeprefix("W/") for part in named]
    return etag.strip('"') in [part.strip('"') for part in named]


def check_read(params: Mapping[str, Any], row: sqlite3.Row) -> None:
    """Check a read's conditions against the object.

    Raises `ServiceFault`: PreconditionFailed (412), NotModified (304).
    """
    modified = moment(row["modified"]).replace(microsecond=0)
    _require_unchanged(params, row, modified, ("IfMatch", "IfUnmodifiedSince"))
    if _unchanged(params, row, modified, ("IfNoneMatch", "IfModifiedSince")):
        raise ServiceFault("NotModified", "Not Modified", 304, headers=_validators(row, modified))


def same_for_range(stated: str, row: sqlite3.Row) -> bool:
    """Whether an If-Range (an ETag or a date; "" where there is none) is about this object."""
    modified = write_time(moment(row["modified"]), "rfc822")
    return stated in ("", modified) or etag_matches(stated, row["etag"])


def _validators(row: sqlite3.Row, modified: datetime) -> dict[str, str]:
    """Return what a cache takes from a 304: the headers that the 200 would have had (RFC 9110)."""
    kept = json.loads(row["headers"])
    found = {"etag": row["etag"], "last-modified": write_time(modified, "rfc822")}
    if "CacheControl" in kept:
        found["cache-control"] = kept["CacheControl"]
    if "Expires" in kept:
        found["expires"] = kept["Expires"]
    return found


def check_copy_source(params: Mapping[str, Any], row: sqlite3.Row) -> None:
    """Check a copy's conditions on its source; all that fail are PreconditionFailed."""
    modified = moment(row["modified"]).replace(microsecond=0)
    names = ("CopySourceIfMatch", "CopySourceIfUnmodifiedSince")
    _require_unchanged(params, row, modified, names, "x-amz-copy-source-")
    names = ("CopySourceIfNoneMatch", "CopySourceIfModifiedSince")
    if _unchanged(params, row, modified, names):
        condition = "If-None-Match" if names[0] in params else "If-Modified-Since"
        raise _failed(f"x-amz-copy-source-{condition}")


def _require_unchanged(
    params: Mapping[str, Any],
    row: sqlite3.Row,
    modified: datetime,
    names: tuple[str, str],
    prefix: str = "",
) -> None:
    match, since = (params.get(name) for name in names)
    if match is not None:
        if not etag_matches(match, row["etag"]):
            raise _failed(f"{prefix}If-Match")
    elif since is not None and modified > since:
        raise _failed(f"{prefix}If-Unmodified-Since")


def _unchanged(
    params: Mapping[str, Any], row: sqlite3.Row, modified: datetime, names: tuple[str, str]
) -> bool:
    match, since = (params.get(name) for name in names)
    if match is not None:
        return etag_matches(match, row["etag"], weakly=True)
    return since is not None and modified <= since


def check_write(db: sqlite3.Connection, call: Call, bucket: str, key: str) -> None:
    """Check a write's conditions: to be asked in the transaction that writes.

    Raises `ServiceFault`: PreconditionFailed; NoSuchKey where If-Match names an object that is not
    there; NotImplemented for what S3 does not do either.
    """
    match, none_match = call.params.get("IfMatch"), call.params.get("IfNoneMatch")
    if match is None and none_match is None:
        return
    if match is not None and none_match is not None:
        raise not_implemented("If-Match,If-None-Match")
    if none_match not in (None, "*"):
        raise not_implemented("If-None-Match")
    if match == "*":  # an ETag alone; "*" is for deletions (S3 API Reference, PutObject)
        raise not_implemented("If-Match")
    row = _current(db, bucket, key)
    if none_match is not None and row is not None:
        raise _failed("If-None-Match")
    if match is not None:
        _require_match(match, row, key)


def check_delete(db: sqlite3.Connection, match: str | None, bucket: str, key: str) -> None:
    """Check a deletion's If-Match, or the ETag of one entry of DeleteObjects."""
    if match is not None:
        _require_match(match, _current(db, bucket, key), key)


def _require_match(match: str, row: sqlite3.Row | None, key: str) -> None:
    if row is None:
        raise ServiceFault("NoSuchKey", "The specified key does not exist.", 404, {"Key": key})
    if not etag_matches(match, row["etag"]):
        raise _failed("If-Match")


def _current(db: sqlite3.Connection, bucket: str, key: str) -> sqlite3.Row | None:
    query = "SELECT etag FROM objects WHERE bucket = ? AND key = ? AND latest = 1 AND marker = 0"
    row: sqlite3.Row | None = db.execute(query, (bucket, key)).fetchone()
    return row


def _failed(condition: str) -> ServiceFault:
    return ServiceFault("PreconditionFailed", _FAILED, 412, {"Condition": condition})
