"""Buckets: create, delete, list, where they are."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import PageTokens
from nitro_workflow.cloud.local.s3.bucket_rows import (
    BUCKETS,
    DEFAULT_REGION,
    Place,
    allow_bucket,
    allow_place,
    moment,
    require_bucket,
)
from nitro_workflow.cloud.local.s3.bucket_settings import MOST_TAGS, require_enforced
from nitro_workflow.cloud.local.s3.object_files import drop_files
from nitro_workflow.cloud.local.s3.object_headers import check_tags, not_implemented, refuse_acl

__all__ = ["OPERATIONS"]

# S3 User Guide, "Bucket naming rules".
_NAME = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*\.\.)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3)$)"
    r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
_MOST_BUCKETS = 10_000  # S3: the quota of one account, and the most of one page
_TOKENS = PageTokens("ListBuckets", "InvalidArgument", "The continuation token is not valid.")
_NOT_DONE = ("ObjectLockEnabledForBucket", "BucketNamespace")


def create_bucket(services: Services, call: Call) -> Mapping[str, Any]:
    """Make a bucket of the caller's account in the region of the request."""
    name, account = call.params["Bucket"], call.caller.account
    if not _NAME.fullmatch(name):
        raise ServiceFault("InvalidBucketName", "The specified bucket is not valid.", 400)
    services.gate.authorize(
        call, "s3:CreateBucket", f"arn:aws:s3:::{name}", resource_account=account
    )
    refuse_acl(call.params)
    for member in _NOT_DONE:
        if call.params.get(member):
            raise not_implemented(member)
    require_enforced(call.params.get("ObjectOwnership", "BucketOwnerEnforced"))
    settings = _configuration(call)
    with services.store.transaction() as db:
        if _is_new(db, call, settings["region"]):
            values = (name, account, call.now.isoformat(), None, None)
            db.execute("INSERT INTO buckets VALUES (?, ?, ?, ?, ?)", values)
            rows = [(name, key, json.dumps(value)) for key, value in settings.items() if value]
            db.executemany("INSERT INTO bucket_settings VALUES (?, ?, ?)", rows)
    return {"Location": f"/{name}", "BucketArn": f"arn:aws:s3:::{name}"}


def _is_new(db: sqlite3.Connection, call: Call, region: str) -> bool:
    """Whether the bucket is to be made: names are unique over accounts and regions."""
    name, account = call.params["Bucket"], call.caller.account
    row = db.execute(f"{BUCKETS} WHERE name = ?", (name,)).fetchone()
    if row is None:
        count = db.execute("SELECT count(*) FROM buckets WHERE account = ?", (account,))
        if count.fetchone()[0] >= _MOST_BUCKETS:
            text = "You have attempted to create more buckets than allowed"
            raise ServiceFault("TooManyBuckets", text, 400)
        return True
    if row["account"] != account:
        text = "The requested bucket name is not available."
        raise ServiceFault("BucketAlreadyExists", text, 409, {"BucketName": name})
    # us-east-1 answers 200 to the owner who asks again (S3 API Reference, CreateBucket).
    if {row["region"], region} != {DEFAULT_REGION}:
        text = "Your previous request to create the named bucket succeeded and you already own it."
        raise ServiceFault("BucketAlreadyOwnedByYou", text, 409, {"BucketName": name})
    return False


def _configuration(call: Call) -> dict[str, Any]:
    """Return the new bucket's region and tags, as its settings keep them."""
    stated = call.params.get("CreateBucketConfiguration", {})
    for member in ("Location", "Bucket"):
        if stated.get(member):
            raise not_implemented(f"CreateBucketConfiguration.{member}")
    place = stated.get("LocationConstraint", "")
    # The oldest endpoint makes buckets everywhere; every other one in its own region, by name.
    if call.region != DEFAULT_REGION and place != call.region:
        text = (
            f"The {place or 'unspecified'} location constraint is incompatible for the region "
            "specific endpoint this request was sent to."
        )
        raise ServiceFault("IllegalLocationConstraintException", text, 400)
    if place == DEFAULT_REGION:
        text = "The specified location-constraint is not valid"
        raise ServiceFault("InvalidLocationConstraint", text, 400)
    region = {"": DEFAULT_REGION, "EU": "eu-west-1"}.get(place, place)
    return {"region": region, "tags": check_tags(stated.get("Tags", []), MOST_TAGS)}


def head_bucket(services: Services, call: Call) -> Mapping[str, Any]:
    """Say that the bucket is there and open to the caller."""
    row = allow_bucket(services, call, "ListBucket")
    return {"BucketRegion": row["region"], "BucketArn": f"arn:aws:s3:::{row['name']}"}


def get_bucket_location(services: Services, call: Call) -> Mapping[str, Any]:
    """Name the region; us-east-1 is the empty one. Whoever looks for a bucket may ask anywhere."""
    owner = call.params.get("ExpectedBucketOwner")
    place = Place(call.params["Bucket"], owner=owner, anywhere=True)
    region = allow_place(services, call, "GetBucketLocation", place)["region"]
    return {"LocationConstraint": "" if region == DEFAULT_REGION else region}


def list_buckets(services: Services, call: Call) -> Mapping[str, Any]:
    """List the account's buckets."""
    account, params = call.caller.account, call.params
    services.gate.authorize(call, "s3:ListAllMyBuckets", "*", resource_account=account)
    most, prefix = params.get("MaxBuckets", _MOST_BUCKETS), params.get("Prefix", "")
    if not 1 <= most <= _MOST_BUCKETS:
        text = f"Argument max-buckets must be an integer between 1 and {_MOST_BUCKETS}"
        raise ServiceFault("InvalidArgument", text, 400, {"ArgumentName": "max-buckets"})
    query = (
        f"{BUCKETS} WHERE account = ? AND name > ? AND substr(name, 1, ?) = ? "
        "AND region = coalesce(?, region) ORDER BY name LIMIT ?"
    )
    after = _TOKENS.read(params.get("ContinuationToken"))
    values = (account, after, len(prefix), prefix, params.get("BucketRegion"), most + 1)
    rows = services.store.read().execute(query, values).fetchall()
    answer: dict[str, Any] = {
        "Buckets": [_entry(row) for row in rows[:most]],
        "Owner": {"ID": account},
    }
    if "Prefix" in params:
        answer["Prefix"] = prefix
    if len(rows) > most:
        answer["ContinuationToken"] = _TOKENS.write(rows[most - 1]["name"])
    return answer


def _entry(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Name": row["name"],
        "CreationDate": moment(row["created"]),
        "BucketRegion": row["region"],
        "BucketArn": f"arn:aws:s3:::{row['name']}",
    }


def delete_bucket(services: Services, call: Call) -> Mapping[str, Any]:
    """Delete a bucket without objects; uploads under way end with it (S3 API Reference)."""
    row = allow_bucket(services, call, "DeleteBucket")
    name = row["name"]
    with services.store.transaction() as db:
        require_bucket(db, row)
        if db.execute("SELECT 1 FROM objects WHERE bucket = ?", (name,)).fetchone():
            text = (
                "The bucket you tried to delete is not empty. You must delete all versions in it."
            )
            raise ServiceFault("BucketNotEmpty", text, 409, {"BucketName": name})
        query = (
            "SELECT p.file FROM upload_parts p JOIN uploads u ON u.id = p.upload WHERE bucket = ?"
        )
        files = [part["file"] for part in db.execute(query, (name,))]
        db.execute("DELETE FROM uploads WHERE bucket = ?", (name,))
        db.execute("DELETE FROM buckets WHERE name = ?", (name,))
    drop_files(services, files)
    return {"__status__": 204}


OPERATIONS: Mapping[str, Handler] = {
    "CreateBucket": create_bucket,
    "DeleteBucket": delete_bucket,
    "GetBucketLocation": get_bucket_location,
    "HeadBucket": head_bucket,
    "ListBuckets": list_buckets,
}
