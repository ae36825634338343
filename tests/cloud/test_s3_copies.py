"""CopyObject and UploadPartCopy: content, metadata, tags, versions, conditions, permissions."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow

Refused = Callable[..., Any]
MIB = 1024**2


@pytest.mark.parametrize("key", ["a", "a b/ü+x.txt", "q?versionId=1", "%2F", "a//b"])
def test_a_copy_is_the_same_object(s3: Any, bucket: str, key: str) -> None:
    put = s3.put_object(
        Bucket=bucket, Key=key, Body=b"content", Metadata={"m": "1"}, ContentType="text/csv",
        CacheControl="no-store", Tagging="a=1&b=%C3%BC", ChecksumAlgorithm="SHA256",
    )  # fmt: skip
    source = {"Bucket": bucket, "Key": key}
    result = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]
    assert (result["ETag"], result["ChecksumSHA256"]) == (put["ETag"], put["ChecksumSHA256"])
    got = s3.get_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"content"
    assert (got["Metadata"], got["ContentType"], got["TagCount"]) == ({"m": "1"}, "text/csv", 2)
    assert (got["CacheControl"], got["ChecksumSHA256"]) == ("no-store", put["ChecksumSHA256"])
    s3.delete_object(**source)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"content"


def test_what_the_request_says_instead(s3: Any, bucket: str, refused: Refused) -> None:
    source = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**source, Body=b"x", Metadata={"old": "1"}, Tagging="old=1", ContentType="a/b")
    itself = {**source, "CopySource": source}
    refused("InvalidRequest", s3.copy_object, **itself)
    refused("InvalidRequest", s3.copy_object, **itself, Metadata={"new": "1"})
    s3.copy_object(**itself, MetadataDirective="REPLACE", Metadata={"new": "1"})
    head = s3.head_object(**source)
    assert (head["Metadata"], head["ContentType"]) == ({"new": "1"}, "binary/octet-stream")
    assert s3.get_object_tagging(**source)["TagSet"] == [{"Key": "old", "Value": "1"}]
    s3.copy_object(**itself, TaggingDirective="REPLACE", Tagging="new=2")
    assert s3.get_object_tagging(**source)["TagSet"] == [{"Key": "new", "Value": "2"}]
    assert s3.head_object(**source)["Metadata"] == {"new": "1"}


def test_versions(s3: Any, bucket: str, refused: Refused) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    source = {"Bucket": bucket, "Key": "k"}
    old, new = (s3.put_object(**source, Body=body)["VersionId"] for body in (b"old", b"new"))
    done = s3.copy_object(**source, CopySource={**source, "VersionId": old})
    assert done["CopySourceVersionId"] == old
    assert done["VersionId"] not in (old, new)
    assert s3.get_object(**source)["Body"].read() == b"old"
    missing = {**source, "VersionId": "f" * 32}
    refused("NoSuchVersion", s3.copy_object, Bucket=bucket, Key="c", CopySource=missing)
    s3.delete_object(**source)
    refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="c", CopySource=source)


def test_conditions(s3: Any, bucket: str, refused: Refused) -> None:
    source = {"Bucket": bucket, "Key": "k"}
    tag = s3.put_object(**source, Body=b"x")["ETag"]
    copy = {"Bucket": bucket, "Key": "c", "CopySource": source}
    for stated in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": tag},
        {"CopySourceIfUnmodifiedSince": datetime(2000, 1, 1, tzinfo=UTC)},
        {
            "CopySourceIfModifiedSince": datetime(2000, 1, 1, tzinfo=UTC),
            "CopySourceIfNoneMatch": "*",
        },
    ):
        error = refused("PreconditionFailed", s3.copy_object, **copy, **stated)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.copy_object(**copy, CopySourceIfMatch=tag, IfNoneMatch="*")
    refused("PreconditionFailed", s3.copy_object, **copy, IfNoneMatch="*")


def test_who_may_copy(cloud: RunningCloud, s3: Any, bucket: str, refused: Refused) -> None:
    s3.put_object(Bucket=bucket, Key="in/k", Body=b"x", Tagging="a=1")
    base = f"arn:aws:s3:::{bucket}"
    steps = [
        (["s3:PutObject"], f"{base}/out/*"),
        (["s3:GetObject"], f"{base}/in/*"),
        (["s3:GetObjectTagging"], f"{base}/in/*"),
        (["s3:PutObjectTagging"], f"{base}/out/*"),
    ]
    copy = {"Bucket": bucket, "Key": "out/k", "CopySource": f"{bucket}/in/k"}
    for count in range(len(steps) + 1):
        statements = [allow(*actions, resource=where) for actions, where in steps[:count]]
        mover = cloud.client("s3", cloud.role("Mover", statements))
        if count < len(steps):
            refused("AccessDenied", mover.copy_object, **copy)
    mover.copy_object(**copy)
    stranger = cloud.client("s3", COMPUTE)
    theirs = f"theirs-{uuid.uuid4().hex}"
    stranger.create_bucket(Bucket=theirs)
    refused(
        "AccessDenied", stranger.copy_object, Bucket=theirs, Key="k", CopySource=f"{bucket}/in/k"
    )
    copy["ExpectedSourceBucketOwner"] = COMPUTE
    refused("AccessDenied", s3.copy_object, **copy)
    s3.copy_object(**{**copy, "ExpectedSourceBucketOwner": DATA})


@pytest.mark.parametrize(
    "source",
    ["", "/", "bucket", "/bucket/", "b/k?versionId=", "arn:aws:s3:::b/k", "b/%ff", "%ff/k"],
)
def test_a_source_that_is_none(
    cloud: RunningCloud, bucket: str, refused: Refused, source: str
) -> None:
    def raw(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-amz-copy-source"] = source  # as it is: boto3 would encode it

    s3 = cloud.client("s3")
    s3.meta.events.register("before-call.s3.CopyObject", raw)
    refused("InvalidArgument", s3.copy_object, Bucket=bucket, Key="c", CopySource="a/b")


def test_parts_from_objects(s3: Any, bucket: str, refused: Refused) -> None:
    body = bytes(range(256)) * (6 * MIB // 256)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    where = {"Bucket": bucket, "Key": "whole"}
    where["UploadId"] = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32C")["UploadId"]
    source, parts = f"{bucket}/source", []
    for number, text in ((1, f"bytes=0-{5 * MIB}"), (2, f"bytes={5 * MIB + 1}-{6 * MIB - 1}")):
        part = s3.upload_part_copy(
            **where, PartNumber=number, CopySource=source, CopySourceRange=text
        )["CopyPartResult"]
        names = ("ETag", "ChecksumCRC32C")
        parts.append({"PartNumber": number, **{name: part[name] for name in names}})
    for text in ("bytes=0-99999999", "bytes=5-4", "bytes=-5", "bytes=0-", "x", "bytes=٣-٤"):
        given = {"PartNumber": 3, "CopySource": source, "CopySourceRange": quote(text, safe="=-")}
        refused("InvalidArgument", s3.upload_part_copy, **where, **given)
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert done["ChecksumCRC32C"].endswith("-2")
    got = s3.get_object(Bucket=bucket, Key="whole")["Body"].read()
    assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
    # A copy in one piece of an object in parts has the entity tag of one piece.
    copied = s3.copy_object(Bucket=bucket, Key="one", CopySource=f"{bucket}/whole")
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
