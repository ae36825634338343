"""Lists of S3 at their edges: page sizes, markers, tokens of other lists, common prefixes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.conftest import RunningCloud

LISTS = ("list_objects_v2", "list_objects", "list_object_versions")


@pytest.fixture
def s3(cloud: RunningCloud) -> Any:
    return cloud.client("s3", parameter_validation=False)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"lists-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    for key in ("a/1", "a/2", "b", "c/1"):
        s3.put_object(Bucket=name, Key=key, Body=b"")
    return name


@pytest.mark.parametrize("name", LISTS)
def test_a_page_of_none_is_whole(s3: Any, bucket: str, name: str) -> None:
    page = getattr(s3, name)(Bucket=bucket, MaxKeys=0, Delimiter="/")
    assert page["IsTruncated"] is False
    assert page["MaxKeys"] == 0
    assert not {"Contents", "Versions", "CommonPrefixes"} & page.keys()
    assert not {"NextContinuationToken", "NextMarker", "NextKeyMarker"} & page.keys()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [-1, -5, 2**31, 10**30])
def test_a_page_size_that_is_none(
    s3: Any, bucket: str, refused: Callable[..., Any], name: str, size: int
) -> None:
    refused("InvalidArgument", getattr(s3, name), Bucket=bucket, MaxKeys=size)


def test_a_page_holds_a_thousand_at_most(s3: Any, bucket: str) -> None:
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=2**31 - 1)["MaxKeys"] == 1000


@pytest.mark.parametrize("token", ["²", "a", "TGlzdA==", "\x00", "9" * 5000])
def test_tokens_that_no_page_ended_with(
    s3: Any, bucket: str, refused: Callable[..., Any], token: str
) -> None:
    refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, ContinuationToken=token)
    versions = {"Bucket": bucket, "KeyMarker": "b", "VersionIdMarker": token}
    refused("InvalidArgument", s3.list_object_versions, **versions)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumberMarker": token}
    refused("InvalidArgument", s3.list_parts, **parts)
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)


def test_a_token_belongs_to_its_list(s3: Any, bucket: str, refused: Callable[..., Any]) -> None:
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    versions = {"Bucket": bucket, "KeyMarker": "a/1", "VersionIdMarker": token}
    refused("InvalidArgument", s3.list_object_versions, **versions)
    refused("InvalidArgument", s3.list_object_versions, Bucket=bucket, VersionIdMarker="null")


def test_a_marker_that_is_a_common_prefix_is_behind_it(s3: Any, bucket: str) -> None:
    after = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="a/")
    assert [entry["Key"] for entry in after["Contents"]] == ["b"]
    assert [entry["Prefix"] for entry in after["CommonPrefixes"]] == ["c/"]
    later = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a/1")
    assert [entry["Prefix"] for entry in later["CommonPrefixes"]] == ["a/", "c/"]


def test_versions_go_on_behind_one_that_was_deleted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = [s3.put_object(Bucket=bucket, Key="b", Body=b"")["VersionId"] for _ in range(3)]
    first = s3.list_object_versions(Bucket=bucket, Prefix="b", MaxKeys=2)
    assert [v["VersionId"] for v in first["Versions"]] == made[:0:-1]
    s3.delete_object(Bucket=bucket, Key="b", VersionId=made[1])
    where = {"KeyMarker": first["NextKeyMarker"], "VersionIdMarker": first["NextVersionIdMarker"]}
    rest = s3.list_object_versions(Bucket=bucket, Prefix="b", **where)
    assert [v["VersionId"] for v in rest["Versions"]] == [made[0], "null"]
    where["VersionIdMarker"] = made[0]
    rest = s3.list_object_versions(Bucket=bucket, Prefix="b", **where)
    assert [v["VersionId"] for v in rest["Versions"]] == ["null"]


def test_names_come_back_as_they_were(s3: Any, bucket: str) -> None:
    key = "odd %+&<\x85é/x"
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, Prefix="odd %+", Delimiter="%+", FetchOwner=True)
    assert page["Delimiter"] == "%+"
    page = s3.list_objects_v2(Bucket=bucket, Prefix="odd", FetchOwner=True)
    assert [(c["Key"], c["Owner"]["ID"]) for c in page["Contents"]] == [(key, "111122223333")]
    for name in LISTS:
        listed = getattr(s3, name)(Bucket=bucket, Prefix="odd", EncodingType="url")
        entries = listed.get("Contents") or listed["Versions"]
        assert entries[0]["Key"] in (key, "odd%20%25%2B%26%3C%C2%85%C3%A9/x")
