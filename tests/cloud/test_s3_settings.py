"""What set-up scripts tell a bucket and an object: done, or refused by name; public access."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from ssl import create_default_context
from typing import Any

import pytest

from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, policy

Refused = Callable[..., Any]


def tag_set(**tags: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_bucket_tags(s3: Any, bucket: str, refused: Refused) -> None:
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(team="a b/ü", x=""))
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag_set(team="a b/ü", x="")["TagSet"]
    for wrong, code in (
        ({"TagSet": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "BadRequest"),
        ({"TagSet": [{"Key": "aws:x", "Value": ""}]}, "InvalidTag"),
        ({"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "InvalidTag"),
        ({"TagSet": [{"Key": "k" * 129, "Value": ""}]}, "InvalidTag"),
    ):
        refused(code, s3.put_bucket_tagging, Bucket=bucket, Tagging=wrong)
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)


def test_object_tags(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"x", Tagging="a=1&b%20c=d%2B")
    assert s3.get_object_tagging(**where)["TagSet"] == tag_set(a="1", **{"b c": "d+"})["TagSet"]
    assert s3.head_object(**where)["TagCount"] == 2
    s3.put_object_tagging(**where, Tagging=tag_set(new="2"))
    assert s3.get_object_tagging(**where)["TagSet"] == tag_set(new="2")["TagSet"]
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    many = "&".join(f"k{n}=" for n in range(11))
    refused("BadRequest", s3.put_object, **where, Body=b"y", Tagging=many)
    for odd in ("a=b%26c", "a%3C=b", "a=%F0%9F%98%80"):  # letters, numbers, spaces, + - = . _ : / @
        refused("InvalidTag", s3.put_object, **where, Body=b"y", Tagging=odd)
    for half, tag in (("Key", {"a<": "b"}), ("Value", {"a": "b<"})):
        error = refused("InvalidTag", s3.put_object_tagging, **where, Tagging=tag_set(**tag))
        assert error["Error"]["Message"] == f"The Tag{half} you have provided is invalid"
        assert error["Error"]["TagKey"] == next(iter(tag))
    refused("InvalidArgument", s3.put_object, **where, Body=b"y", Tagging="a=1&a=2")
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    refused("InvalidTag", s3.put_object_tagging, **where, Tagging=twice)
    refused("NoSuchKey", s3.put_object_tagging, Bucket=bucket, Key="no", Tagging=tag_set(a="1"))


def test_tags_and_who_may(cloud: RunningCloud, s3: Any, bucket: str, refused: Refused) -> None:
    """A Deny that speaks of an object's tags, or of a request's, holds for all that reads or writes."""
    secret = {"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}
    wanted = {"StringEquals": {"s3:RequestObjectTag/class": "public"}}
    session = cloud.role(
        "Tagged",
        [
            allow("s3:GetObject*", "s3:PutObject", "s3:ListBucket"),
            {**allow("s3:GetObject*", Condition=secret), "Effect": "Deny"},
            allow("s3:PutObjectTagging", Condition=wanted),
        ],
    )
    reader, where = cloud.client("s3", session), {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"x", Tagging="class=public")
    assert reader.get_object(**where)["Body"].read() == b"x"
    s3.put_object_tagging(**where, Tagging=tag_set(**{"class": "secret"}))
    refused("AccessDenied", reader.get_object, **where)
    refused("403", reader.head_object, **where)
    refused("AccessDenied", reader.get_object_tagging, **where)
    refused("AccessDenied", reader.copy_object, Bucket=bucket, Key="c", CopySource=where)
    refused("AccessDenied", reader.put_object, **where, Body=b"y", Tagging="class=other")
    reader.put_object(**where, Body=b"y", Tagging="class=public")
    assert reader.get_object(**where)["Body"].read() == b"y"


def anyone(bucket: str, **further: Any) -> str:
    return policy(
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
         "Resource": f"arn:aws:s3:::{bucket}/*", **further}
    )  # fmt: skip


def test_public_access_is_blocked_until_it_is_not(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Refused
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"all")
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    error = refused("AccessDenied", s3.put_bucket_policy, Bucket=bucket, Policy=anyone(bucket))
    assert "BlockPublicPolicy" in error["Error"]["Message"]
    for condition in (
        {"StringEquals": {"aws:PrincipalAccount": COMPUTE}},
        {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    ):
        s3.put_bucket_policy(Bucket=bucket, Policy=anyone(bucket, Condition=condition))
        assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    for condition in (
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
        {"StringLike": {"aws:PrincipalArn": "*"}},
        {"StringEquals": {"aws:UserAgent": "me"}},
        {"StringNotEquals": {"aws:PrincipalAccount": COMPUTE}},
    ):
        text = anyone(bucket, Condition=condition)
        refused("AccessDenied", s3.put_bucket_policy, Bucket=bucket, Policy=text)
    url = f"{cloud.endpoint}/{bucket}/k"
    s3.delete_public_access_block(Bucket=bucket)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=anyone(bucket))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    assert read_anonymously(cloud, url) == b"all"
    restricted = {"RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=restricted)
    with pytest.raises(urllib.error.HTTPError) as caught:
        read_anonymously(cloud, url)
    caught.value.close()
    assert caught.value.code == 403
    refused("AccessDenied", cloud.client("s3", COMPUTE).get_object, Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"all"


def test_a_restricted_public_policy_still_denies(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Refused
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_public_access_block(Bucket=bucket)
    role = {"AWS": f"arn:aws:iam::{DATA}:root"}
    both = policy(
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
         "Resource": f"arn:aws:s3:::{bucket}/*"},
        {"Effect": "Deny", "Principal": role, "Action": "s3:DeleteObject",
         "Resource": f"arn:aws:s3:::{bucket}/*"},
    )  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=both)
    block = {"RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    refused("AccessDenied", s3.delete_object, Bucket=bucket, Key="k")
    refused("AccessDenied", cloud.client("s3", COMPUTE).get_object, Bucket=bucket, Key="k")


def read_anonymously(cloud: RunningCloud, url: str) -> bytes:
    with urllib.request.urlopen(url, context=create_default_context(cafile=cloud.ca)) as answer:
        return answer.read()


def test_ownership(s3: Any, bucket: str, refused: Refused) -> None:
    rules = lambda kind: {"Rules": [{"ObjectOwnership": kind}]}  # noqa: E731
    put = s3.put_bucket_ownership_controls
    put(Bucket=bucket, OwnershipControls=rules("BucketOwnerEnforced"))
    found = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert found == rules("BucketOwnerEnforced")
    for kind in ("BucketOwnerPreferred", "ObjectWriter"):
        refused("NotImplemented", put, Bucket=bucket, OwnershipControls=rules(kind))
    name = f"owned-{uuid.uuid4().hex}"
    refused("NotImplemented", s3.create_bucket, Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    refused("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=bucket)


def test_encryption(s3: Any, bucket: str, refused: Refused) -> None:
    def rules(**default: str) -> dict[str, Any]:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}

    put = lambda **d: s3.put_bucket_encryption(  # noqa: E731
        Bucket=bucket, ServerSideEncryptionConfiguration=rules(**d)
    )
    put(SSEAlgorithm="AES256")
    refused("NotImplemented", put, SSEAlgorithm="aws:kms", KMSMasterKeyID="alias/mine")
    refused("NotImplemented", put, SSEAlgorithm="aws:kms")
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert found["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.delete_bucket_encryption(Bucket=bucket)


def test_acls_and_classes(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    for stated in ({"ACL": "public-read"}, {"GrantRead": "uri=http://acs.amazonaws.com/x"}):
        for call, further in (
            (s3.put_object, {"Body": b""}),
            (s3.create_multipart_upload, {}),
            (s3.copy_object, {"CopySource": f"{bucket}/x"}),
        ):
            refused("AccessControlListNotSupported", call, **where, **further, **stated)
        refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=bucket, **stated)
    name = f"open-{uuid.uuid4().hex}"
    refused("AccessControlListNotSupported", s3.create_bucket, Bucket=name, ACL="public-read")
    for canned in ("private", "bucket-owner-full-control"):
        s3.put_object(**where, Body=b"", ACL=canned)
    s3.put_object_acl(**where, ACL="bucket-owner-full-control")
    code = "AccessControlListNotSupported"  # S3 API Reference, PutBucketAcl: every request fails
    refused(code, s3.put_object_acl, **where, ACL="private")
    refused(code, s3.put_bucket_acl, Bucket=bucket, ACL="private")
    assert s3.get_object_acl(**where)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"] == DATA
    refused("InvalidStorageClass", s3.put_object, **where, Body=b"", StorageClass="GLACIER")
    s3.put_object(**where, Body=b"", StorageClass="STANDARD")


def test_private_of_another_account(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Refused
) -> None:
    """To its owner's bucket it says what is so; of a guest it asks for what is the guest's alone."""
    writes = {"Principal": {"AWS": COMPUTE}, "resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(allow("s3:PutObject", **writes)))
    guest, where = cloud.client("s3", COMPUTE), {"Bucket": bucket, "Key": "k"}
    code = "AccessControlListNotSupported"
    refused(code, guest.put_object, **where, Body=b"", ACL="private")
    refused(code, guest.create_multipart_upload, **where, ACL="private")
    guest.put_object(**where, Body=b"")
    guest.put_object(**where, Body=b"", ACL="bucket-owner-full-control")


def test_what_was_never_set(s3: Any, bucket: str, refused: Refused) -> None:
    for name, code in (
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ):
        refused(code, getattr(s3, name), Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.get_bucket_accelerate_configuration(Bucket=bucket)


def test_limits(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k", "Body": b""}
    s3.put_object(**where, Metadata={"a": "x" * 2047})
    refused("MetadataTooLarge", s3.put_object, **where, Metadata={"a": "x" * 2048})
    large = anyone(bucket, Sid="s" * 21_000)
    refused("PolicyTooLarge", s3.put_bucket_policy, Bucket=bucket, Policy=large)
    versioning = {"Status": "Enabled", "MFADelete": "Enabled"}
    refused(
        "NotImplemented", s3.put_bucket_versioning, Bucket=bucket, MFA="1 2",
        VersioningConfiguration=versioning,
    )  # fmt: skip


@pytest.mark.parametrize("key", ["a\rb", "a\nb", "a\tb", "\u0085", "\x7f", "é", "𝛼"])
def test_odd_keys_come_back_as_they_are(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [entry["Key"] for entry in gone["Deleted"]] == [key]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("key", ["a\x01", "\x0b", "\ufffe", "\uffff"])
def test_keys_that_no_xml_can_name(s3: Any, bucket: str, refused: Refused, key: str) -> None:
    refused("InvalidURI", s3.put_object, Bucket=bucket, Key=key, Body=b"")
    refused("InvalidURI", s3.create_multipart_upload, Bucket=bucket, Key=key)


def test_uploads_under_way(s3: Any, bucket: str, refused: Refused) -> None:
    keys = ["a", "a", "b", "dir/ü c"]
    ids = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    found = [(u["Key"], u["UploadId"]) for page in pages for u in page["Uploads"]]
    assert found == list(zip(keys, ids, strict=True))  # of one key, by their beginning
    prefixed = s3.list_multipart_uploads(Bucket=bucket, Prefix="dir/", EncodingType="url")
    assert [u["Key"] for u in prefixed["Uploads"]] in (["dir/ü c"], ["dir/%C3%BC%20c"])
    refused("InvalidArgument", s3.list_multipart_uploads, Bucket=bucket, MaxUploads=-1)
    none = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=0)
    assert none["IsTruncated"] is False


def test_uploads_under_way_in_groups(s3: Any, bucket: str) -> None:
    for key in ("a", "b--1", "b--1", "b--2", "b-3", "c--1"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    asked: dict[str, Any] = {"Bucket": bucket, "Delimiter": "--"}
    whole = s3.list_multipart_uploads(**asked)
    assert whole["Delimiter"] == "--"
    assert [u["Key"] for u in whole["Uploads"]] == ["a", "b-3"]
    assert whole["CommonPrefixes"] == [{"Prefix": "b--"}, {"Prefix": "c--"}]
    seen: list[str] = []
    for _ in range(4):
        page = s3.list_multipart_uploads(**asked, MaxUploads=1)
        seen += [u["Key"] for u in page.get("Uploads", [])]
        seen += [group["Prefix"] for group in page.get("CommonPrefixes", [])]
        if page["IsTruncated"]:
            asked |= {"KeyMarker": page["NextKeyMarker"]}
            asked |= {"UploadIdMarker": page.get("NextUploadIdMarker", "")}
    assert seen == ["a", "b--", "b-3", "c--"]
    assert page["IsTruncated"] is False
