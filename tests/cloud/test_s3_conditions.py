"""Conditional requests: what fails is 412 and changes nothing; of many writers exactly one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import RunningCloud, allow

Refused = Callable[..., Any]
OTHER = '"00000000000000000000000000000000"'
WRITERS = 12


@pytest.fixture
def s3(cloud: RunningCloud) -> Any:
    return cloud.client("s3", max_pool_connections=WRITERS)


def content(s3: Any, bucket: str, key: str = "k") -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_put(s3: Any, bucket: str, refused: Refused) -> None:
    put = {"Bucket": bucket, "Key": "k"}
    refused("NoSuchKey", s3.put_object, **put, Body=b"0", IfMatch=OTHER)
    tag = s3.put_object(**put, Body=b"1", IfNoneMatch="*")["ETag"]
    error = refused("PreconditionFailed", s3.put_object, **put, Body=b"2", IfMatch=OTHER)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 412
    refused("PreconditionFailed", s3.put_object, **put, Body=b"2", IfNoneMatch="*")
    refused("NotImplemented", s3.put_object, **put, Body=b"2", IfNoneMatch=OTHER)
    refused("NotImplemented", s3.put_object, **put, Body=b"2", IfNoneMatch="*", IfMatch=tag)
    assert content(s3, bucket) == b"1"
    s3.put_object(**put, Body=b"2", IfMatch=tag.strip('"'))
    assert content(s3, bucket) == b"2"


def test_a_delete_marker_is_nothing_there(s3: Any, bucket: str, refused: Refused) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = {"Bucket": bucket, "Key": "k", "Body": b"1"}
    tag = s3.put_object(**put)["ETag"]
    s3.delete_object(Bucket=bucket, Key="k")
    refused("NoSuchKey", s3.put_object, **put, IfMatch=tag)
    s3.put_object(**put, IfNoneMatch="*")


def test_delete(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    refused("NoSuchKey", s3.delete_object, **where, IfMatch="*")
    tag = s3.put_object(**where, Body=b"1")["ETag"]
    refused("PreconditionFailed", s3.delete_object, **where, IfMatch=OTHER)
    refused("NotImplemented", s3.delete_object, **where, IfMatchSize=1)
    refused("NotImplemented", s3.delete_object, **where, IfMatch=tag, VersionId="null")
    entries = [{"Key": "k", "ETag": OTHER}, {"Key": "none", "ETag": tag}]
    many = s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})
    assert [e["Code"] for e in many["Errors"]] == ["PreconditionFailed", "NoSuchKey"]
    assert content(s3, bucket) == b"1"
    many = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": tag}]})
    assert [d["Key"] for d in many["Deleted"]] == ["k"]
    refused("404", s3.head_object, **where)


def test_complete(s3: Any, bucket: str, refused: Refused) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    where = {"Bucket": bucket, "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, PartNumber=1, Body=b"parts")
    where["MultipartUpload"] = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    complete = s3.complete_multipart_upload
    refused("PreconditionFailed", complete, **where, IfNoneMatch="*")
    refused("PreconditionFailed", complete, **where, IfMatch=OTHER)
    assert content(s3, bucket) == b"1"
    refused("NotImplemented", complete, **where, IfMatch="*")
    complete(**where, IfMatch=tag)
    assert content(s3, bucket) == b"parts"


def test_a_write_names_one_etag(s3: Any, bucket: str, refused: Refused) -> None:
    """S3 API Reference, PutObject: If-Match "expects the ETag value"; a deletion takes ``*``."""
    where = {"Bucket": bucket, "Key": "k"}
    tag = s3.put_object(**where, Body=b"1")["ETag"]
    for stated, header in (
        ({"IfMatch": "*"}, "If-Match"),
        ({"IfNoneMatch": tag}, "If-None-Match"),
        ({"IfMatch": tag, "IfNoneMatch": "*"}, "If-Match,If-None-Match"),
    ):
        error = refused("NotImplemented", s3.put_object, **where, Body=b"2", **stated)
        assert error["Error"]["Header"] == header
    assert content(s3, bucket) == b"1"
    s3.delete_object(**where, IfMatch="*")


def test_the_condition_of_a_copy_is_named(s3: Any, bucket: str, refused: Refused) -> None:
    made = s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    copy = {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/k"}
    now = datetime.now(UTC)
    for name, value, condition in (
        ("CopySourceIfMatch", OTHER, "If-Match"),
        ("CopySourceIfNoneMatch", made["ETag"], "If-None-Match"),
        ("CopySourceIfModifiedSince", now, "If-Modified-Since"),
        ("CopySourceIfUnmodifiedSince", now - timedelta(days=1), "If-Unmodified-Since"),
    ):
        error = refused("PreconditionFailed", s3.copy_object, **copy, **{name: value})
        assert error["Error"]["Condition"] == f"x-amz-copy-source-{condition}"


def test_reads(s3: Any, bucket: str, refused: Refused) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    now = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = now - timedelta(seconds=9), now + timedelta(seconds=9)
    where = {"Bucket": bucket, "Key": "k"}
    refused("PreconditionFailed", s3.get_object, **where, IfUnmodifiedSince=before)
    refused("412", s3.head_object, **where, IfUnmodifiedSince=datetime(1990, 1, 1, tzinfo=UTC))
    s3.get_object(**where, IfUnmodifiedSince=after)["Body"].close()
    refused("304", s3.get_object, **where, IfModifiedSince=now)
    # RFC 9110 §13.2.2: an entity tag that is compared makes the date unimportant.
    s3.get_object(**where, IfMatch=tag, IfUnmodifiedSince=before)["Body"].close()
    s3.get_object(**where, IfNoneMatch=OTHER, IfModifiedSince=after)["Body"].close()
    s3.get_object(**where, IfMatch=f"{OTHER}, {tag}")["Body"].close()


@pytest.mark.parametrize("condition", ["If-None-Match", "If-Match"])
def test_of_many_writers_one_wins(s3: Any, bucket: str, condition: str) -> None:
    stated = {"IfNoneMatch": "*"}
    if condition == "If-Match":
        stated = {"IfMatch": s3.put_object(Bucket=bucket, Key="k", Body=b"old")["ETag"]}
    barrier, outcomes = threading.Barrier(WRITERS), []

    def write(number: int) -> None:
        body = bytes([number]) * 100_000
        barrier.wait(60)
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=body, **stated)
            outcomes.append(number)
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    winners = [number for number in outcomes if isinstance(number, int)]
    assert len(outcomes) == WRITERS
    assert len(winners) == 1
    assert outcomes.count("PreconditionFailed") == WRITERS - 1
    assert content(s3, bucket) == bytes(winners) * 100_000


def test_losers_leave_no_file(cloud: RunningCloud, s3: Any, bucket: str, refused: Refused) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    folder = cloud.lab / "cloud" / "objects"
    before = sorted(folder.glob("*/*"))
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch=OTHER)
    assert sorted(folder.glob("*/*")) == before


def test_who_may_not_read_learns_no_etag(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Refused
) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    session = cloud.role("OnlyWrites", [allow("s3:PutObject", "s3:DeleteObject")])
    writer, where = cloud.client("s3", session), {"Bucket": bucket, "Key": "k"}
    for stated in (tag, OTHER):
        refused("AccessDenied", writer.put_object, **where, Body=b"2", IfMatch=stated)
        refused("AccessDenied", writer.delete_object, **where, IfMatch=stated)
    writer.put_object(**where, Body=b"2")


def test_a_policy_can_require_conditional_writes(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Refused
) -> None:
    """S3 User Guide, "Enforce conditional writes on Amazon S3 buckets"."""
    need = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    deny = {**allow("s3:PutObject", Condition=need), "Effect": "Deny"}
    writer = cloud.client("s3", cloud.role("Careful", [allow("s3:*"), deny]))
    where = {"Bucket": bucket, "Key": "k"}
    refused("AccessDenied", writer.put_object, **where, Body=b"1")
    writer.put_object(**where, Body=b"1", IfNoneMatch="*")
    upload = writer.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    parts = {"Bucket": bucket, "Key": "m", "UploadId": upload}
    tag = writer.upload_part(**parts, PartNumber=1, Body=b"x")["ETag"]
    parts["MultipartUpload"] = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    refused("AccessDenied", writer.complete_multipart_upload, **parts)
    writer.complete_multipart_upload(**parts, IfNoneMatch="*")
