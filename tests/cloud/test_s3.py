"""S3 through boto3: objects and versions, ranges, multipart, listings, policies, presigned URLs."""

from __future__ import annotations

import hashlib
import io
import json
import ssl
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, policy

KEYS = ["a", "a b/ü+x.txt", "x//y", "~-._!*'()", "%2F", "日本", "a&b=c", "q?x#y"]


@pytest.mark.parametrize("key", KEYS)
def test_put_and_get(s3: Any, bucket: str, key: str) -> None:
    body = key.encode() * 100
    put = s3.put_object(
        Bucket=bucket, Key=key, Body=body, Metadata={"sum": "1"}, ContentType="text/csv",
        CacheControl="no-store",
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert got["Metadata"] == {"sum": "1"}
    assert (got["ContentType"], got["CacheControl"]) == ("text/csv", "no-store")
    assert got["ChecksumCRC32"] == b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert "ContentEncoding" not in got
    head = s3.head_object(Bucket=bucket, Key=key)
    assert head["ContentLength"] == len(body)
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == key


@pytest.mark.parametrize(
    ("text", "expected", "said"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=3-", b"3456789", "bytes 3-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges(s3: Any, bucket: str, text: str, expected: bytes, said: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=text)
    assert got["Body"].read() == expected
    assert got["ContentRange"] == said
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_that_can_not_be(s3: Any, bucket: str, refused: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    for text in ("bytes=10-", "bytes=-0"):
        error = refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range=text)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 416
    assert s3.get_object(Bucket=bucket, Key="k", Range="lines=1-2")["ContentLength"] == 10


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums(s3: Any, bucket: str, algorithm: str) -> None:
    value = stated("abc", algorithm)
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"abc", **{f"Checksum{algorithm}": value})
    assert put[f"Checksum{algorithm}"] == value
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert got["Body"].read() == b"abc"


def stated(text: str, algorithm: str) -> str:
    """The value that a client states; the CRCs are the catalogue's, in pure Python."""
    data = text.encode()
    if algorithm.startswith("SHA"):
        return b64encode(hashlib.new(algorithm.lower(), data).digest()).decode()
    width, polynomial = {
        "CRC32": (32, 0xEDB88320), "CRC32C": (32, 0x82F63B78), "CRC64NVME": (64, 0x9A6C9329AC4BC9B5),
    }[algorithm]  # fmt: skip
    value = mask = 2**width - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
    return b64encode((value ^ mask).to_bytes(width // 8, "big")).decode()


def test_a_wrong_checksum_keeps_nothing(s3: Any, bucket: str, refused: Any) -> None:
    refused(
        "BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"abc", ChecksumCRC32="AAAAAA=="
    )
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_versions(s3: Any, bucket: str, refused: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    read = lambda **v: s3.get_object(Bucket=bucket, Key="k", **v)["Body"].read()  # noqa: E731
    assert (read(), read(VersionId=first), read(VersionId="null")) == (b"two", b"one", b"before")
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="k")
    refused("405", s3.head_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [second, first, "null"]
    assert listed["DeleteMarkers"][0]["IsLatest"] is True
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert read() == b"two"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    assert read() == b"one"
    refused("NoSuchVersion", s3.get_object, Bucket=bucket, Key="k", VersionId=second)
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=bucket)
    objects = [{"Key": "k", "VersionId": v} for v in (first, "null")]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]) == 2
    s3.delete_bucket(Bucket=bucket)
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=bucket)


def test_listings(s3: Any, bucket: str) -> None:
    keys = ["a/1", "a/2", "b", "c/d/1", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in top["CommonPrefixes"]] == ["a/", "c/"]
    assert [c["Key"] for c in top["Contents"]] == ["b", "z"]
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    assert [c["Key"] for page in pages for c in page["Contents"]] == keys
    grouped = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    found = [(p.get("Contents") or p["CommonPrefixes"])[0] for p in grouped]
    assert [f.get("Key") or f["Prefix"] for f in found] == ["a/", "b", "c/", "z"]
    assert [c["Key"] for c in s3.list_objects(Bucket=bucket, Prefix="a/")["Contents"]] == keys[:2]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="b")
    assert [c["Key"] for c in after["Contents"]] == ["c/d/1", "z"]
    versions = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    assert [v["Key"] for page in versions for v in page["Versions"]] == keys


def test_multipart(s3: Any, bucket: str, refused: Any) -> None:
    part = bytes(5 * 1024**2)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="x/y")["UploadId"]
    where = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    tags = [
        s3.upload_part(**where, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, part), (2, b"end"))
    ]
    assert [p["Size"] for p in s3.list_parts(**where)["Parts"]] == [len(part), 3]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    wrong = [{"PartNumber": 1, "ETag": '"0"'}]
    complete = s3.complete_multipart_upload
    refused("InvalidPart", complete, **where, MultipartUpload={"Parts": wrong})
    refused("InvalidPartOrder", complete, **where, MultipartUpload={"Parts": parts[::-1]})
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="k")
    done = complete(**where, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"')
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["ContentType"] == "x/y"
    assert got["Body"].read() == part + b"end"
    refused("NoSuchUpload", s3.list_parts, **where)
    again = {**where, "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
    for number in (1, 2):
        tags[number - 1] = s3.upload_part(**again, PartNumber=number, Body=b"small")["ETag"]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    refused("EntityTooSmall", complete, **again, MultipartUpload={"Parts": parts})
    s3.abort_multipart_upload(**again)
    refused("NoSuchUpload", s3.abort_multipart_upload, **again)


def test_files_of_what_is_gone_are_gone(cloud: RunningCloud, s3: Any, bucket: str) -> None:
    folder = cloud.lab / "cloud"
    before = len(list((folder / "objects").glob("*/*")))
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert len(list((folder / "objects").glob("*/*"))) == before + 1
    s3.delete_object(Bucket=bucket, Key="k")
    assert len(list((folder / "objects").glob("*/*"))) == before
    assert not list((folder / "incoming").iterdir())


def test_conditions(s3: Any, bucket: str, refused: Any) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    refused("304", s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag)
    refused("PreconditionFailed", s3.get_object, Bucket=bucket, Key="k", IfMatch='"x"')
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=tag)["Body"].read() == b"1"


def test_bucket_names(cloud: RunningCloud, s3: Any, bucket: str, refused: Any) -> None:
    s3.create_bucket(Bucket=bucket)  # the owner again: no error in us-east-1
    other = cloud.client("s3", COMPUTE)
    refused("BucketAlreadyExists", other.create_bucket, Bucket=bucket)
    refused("InvalidBucketName", s3.create_bucket, Bucket="Upper-case")
    assert bucket in {b["Name"] for b in s3.list_buckets()["Buckets"]}
    assert bucket not in {b["Name"] for b in other.list_buckets()["Buckets"]}
    s3.head_bucket(Bucket=bucket)
    refused("403", other.head_bucket, Bucket=bucket)
    refused("404", s3.head_bucket, Bucket="no-such-bucket")


def test_bucket_policy_across_accounts(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="in/data", Body=b"x")
    s3.put_object(Bucket=bucket, Key="out", Body=b"y")
    objects = f"arn:aws:s3:::{bucket}/in/*"
    reader = cloud.role("S3Reader", [allow("s3:GetObject", resource=objects)], account=COMPUTE)
    there = cloud.client("s3", reader)
    error = refused("AccessDenied", there.get_object, Bucket=bucket, Key="in/data")
    assert 'on resource: "arn:aws:s3:::' in error["Error"]["Message"]
    assert "because no resource-based policy allows" in error["Error"]["Message"]
    role = {"AWS": f"arn:aws:iam::{COMPUTE}:role/S3Reader"}
    statement = {
        "Effect": "Allow",
        "Principal": role,
        "Action": "s3:GetObject",
        "Resource": objects,
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] == [statement]
    assert there.get_object(Bucket=bucket, Key="in/data")["Body"].read() == b"x"
    refused("AccessDenied", there.get_object, Bucket=bucket, Key="out")
    refused("AccessDenied", there.get_object, Bucket=bucket, Key="in/none")  # not even that
    refused("AccessDenied", there.put_bucket_policy, Bucket=bucket, Policy=policy(statement))
    refused("AccessDenied", there.put_object, Bucket=bucket, Key="in/data", Body=b"z")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": objects}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement, deny))
    error = refused("AccessDenied", there.get_object, Bucket=bucket, Key="in/data")
    assert error["Error"]["Message"].endswith("with an explicit deny in a resource-based policy")
    s3.delete_bucket_policy(Bucket=bucket)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket)
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy="[]")
    seen = [e for e in cloud.events(EventName="GetObject") if e.get("errorCode") == "AccessDenied"]
    assert any(e["userIdentity"]["accountId"] == COMPUTE for e in seen)  # in the owner's trail


def fetch(cloud: RunningCloud, request: Any) -> bytes:
    context = ssl.create_default_context(cafile=cloud.ca)
    with urllib.request.urlopen(request, context=context) as answer:
        return answer.read()


def test_presigned_urls(cloud: RunningCloud, s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a b"}
    put = s3.generate_presigned_url("put_object", Params=where)
    fetch(cloud, urllib.request.Request(put, data=b"sent", method="PUT"))
    get = s3.generate_presigned_url("get_object", Params=where)
    assert fetch(cloud, get) == b"sent"
    assert status(cloud, get.replace("a%20b", "a%20c")) == 403
    assert "X-Amz-Signature" not in cloud.log
    assert status(cloud, get.partition("?")[0]) == 403  # nobody in particular


def status(cloud: RunningCloud, request: Any) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(cloud, request)
    caught.value.close()
    return caught.value.code


def test_a_query_of_thousands_of_fields_is_refused_unread(cloud: RunningCloud) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(cloud, urllib.request.Request(f"{cloud.endpoint}/bucket?{'%41&' * 3000}"))
    with caught.value as answer:
        assert answer.code == 400
        assert b"MalformedQueryString" in answer.read()


def test_a_public_object(cloud: RunningCloud, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="open", Body=b"all")
    anyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
              "Resource": f"arn:aws:s3:::{bucket}/*"}  # fmt: skip
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(anyone))
    assert fetch(cloud, f"{cloud.endpoint}/{bucket}/open") == b"all"


def test_objects_of_transfer_manager(cloud: RunningCloud, s3: Any, bucket: str) -> None:
    body = bytes(range(256)) * (80 * 1024)  # 20 MiB: multipart both ways
    s3.upload_fileobj(io.BytesIO(body), bucket, "big")
    target = io.BytesIO()
    s3.download_fileobj(bucket, "big", target)
    assert target.getvalue() == body
    kept = [*(cloud.lab / "cloud" / "objects").glob("*/*")]
    assert kept
    assert not any(path.stat().st_mode & 0o077 for path in kept)


def test_owner_check(s3: Any, bucket: str, refused: Any) -> None:
    where = {"Bucket": bucket, "Key": "k", "Body": b""}
    refused("AccessDenied", s3.put_object, **where, ExpectedBucketOwner=COMPUTE)
    s3.put_object(**where, ExpectedBucketOwner=DATA)


def test_keys_have_a_length(s3: Any, bucket: str, refused: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"")


def test_what_is_not_done_names_itself(s3: Any, bucket: str, refused: Any) -> None:
    error = refused(
        "UnsupportedOperationException", s3.put_bucket_cors, Bucket=bucket,
        CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
    )  # fmt: skip
    assert "s3:PutBucketCors" in error["Error"]["Message"]
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=bucket)


def test_what_is_to_be_added_replaces_nothing(s3: Any, bucket: str, refused: Any) -> None:
    where = {"Bucket": bucket, "Key": "grows"}
    s3.put_object(**where, Body=b"kept")
    refused("NotImplemented", s3.put_object, **where, Body=b"more", WriteOffsetBytes=0)
    assert s3.get_object(**where)["Body"].read() == b"kept"


@pytest.mark.parametrize(
    "safeguard",
    [
        {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32},
        {"ServerSideEncryption": "aws:kms"},
        {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": "alias/owner"},
        {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": "2030-01-01"},
        {"ObjectLockLegalHoldStatus": "ON"},
    ],
    ids=lambda safeguard: ",".join(map(str, safeguard)),
)
def test_a_safeguard_that_is_not_there_is_not_passed_over(
    s3: Any, bucket: str, refused: Any, safeguard: dict[str, Any]
) -> None:
    where = {"Bucket": bucket, "Key": "guarded"}
    refused("NotImplemented", s3.put_object, **where, **safeguard, Body=b"secret")
    refused("NotImplemented", s3.create_multipart_upload, **where, **safeguard)
    assert s3.list_objects_v2(Bucket=bucket, Prefix="guarded")["KeyCount"] == 0
    s3.put_object(**where, Body=b"", ServerSideEncryption="AES256")
    s3.delete_object(**where)


def test_a_policy_can_speak_of_a_version(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Any
) -> None:
    enabled = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    old, new = (
        s3.put_object(Bucket=bucket, Key="versioned", Body=body)["VersionId"]
        for body in (b"old", b"new")
    )
    deny = allow("s3:*ObjectVersion", Condition={"StringEquals": {"s3:VersionId": old}})
    reader = cloud.client("s3", cloud.role("Versions", [allow("s3:*"), {**deny, "Effect": "Deny"}]))
    where = {"Bucket": bucket, "Key": "versioned"}
    assert reader.get_object(**where, VersionId=new)["Body"].read() == b"new"
    refused("AccessDenied", reader.get_object, **where, VersionId=old)
    refused("AccessDenied", reader.delete_object, **where, VersionId=old)
    for version in (old, new):
        s3.delete_object(**where, VersionId=version)
