"""What S3's answers say beside the content: headers, root elements, markers; odd requests."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from ssl import create_default_context
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from nitro_workflow.cloud.local.protocol import RawRequest
from nitro_workflow.cloud.local.protocol.rest import split_address
from tests.cloud.conftest import RunningCloud

Refused = Callable[..., Any]


def headers_of(answer: Any) -> dict[str, str]:
    found: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
    return found


def test_a_304_has_what_a_cache_needs(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    s3.put_object(**where, Body=b"1", CacheControl="max-age=5", Expires=expires)
    etag = s3.head_object(**where)["ETag"]
    for call in (s3.get_object, s3.head_object):
        error = refused("304", call, **where, IfNoneMatch=f"W/{etag}")
        found = headers_of(error)
        assert (found["etag"], found["cache-control"]) == (etag, "max-age=5")
        assert found["expires"] == "Wed, 02 Jan 2030 03:04:05 GMT"
        assert "last-modified" in found
        assert not {"content-type", "content-length"} & found.keys()


def test_tags_are_compared_as_they_are_meant(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**where, Body=b"1")["ETag"]
    for stated in (etag, etag.strip('"'), f'"x", {etag}', "*"):
        s3.get_object(**where, IfMatch=stated)
    # RFC 9110 §13.1.1: a weak tag is never the same; ``"*"`` is a tag like another.
    for stated in (f"W/{etag}", '"*"', '"x"'):
        refused("PreconditionFailed", s3.get_object, **where, IfMatch=stated)
        refused("PreconditionFailed", s3.put_object, **where, Body=b"2", IfMatch=stated)
        refused("PreconditionFailed", s3.delete_object, **where, IfMatch=stated)
    assert s3.get_object(**where, IfNoneMatch='"*"')["ContentLength"] == 1


@pytest.mark.parametrize(
    "sent", ["0", "-1", "Wed, 02 Jan 2030 03:04:05 GMT", "2030-01-02T03:04:05Z"]
)
def test_expires_comes_back_as_it_was_sent(s3: Any, bucket: str, sent: str) -> None:
    s3.meta.events.register(
        "before-sign.s3.PutObject", lambda request, **_: request.headers.add_header("Expires", sent)
    )
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    for key in ("k", "copy"):
        assert headers_of(s3.head_object(Bucket=bucket, Key=key))["expires"] == sent
    when = datetime(2031, 1, 1, tzinfo=UTC)
    told = headers_of(s3.get_object(Bucket=bucket, Key="k", ResponseExpires=when))
    assert told["expires"] == "Wed, 01 Jan 2031 00:00:00 GMT"
    with pytest.raises(s3.exceptions.ClientError) as raised:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert headers_of(raised.value.response)["expires"] == sent


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_a_date_that_is_none_is_no_condition(s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.meta.events.register(
        "before-sign.s3.GetObject", lambda request, **_: request.headers.add_header(name, "soon")
    )
    assert s3.get_object(Bucket=bucket, Key="k")["ContentLength"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bytes=2-3", b"23"),
        ("bytes=2-18446744073709551615", b"23456789"),
        ("bytes=100-2", b"0123456789"),
        ("bytes=5-2", b"0123456789"),
        ("bytes=0-1,4-5", b"0123456789"),
    ],
)
def test_odd_ranges(s3: Any, bucket: str, text: str, expected: bytes) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert s3.get_object(Bucket=bucket, Key="k", Range=text)["Body"].read() == expected


def test_a_resumed_download_is_of_one_object(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"0123456789")
    known = s3.head_object(**where)
    modified = headers_of(known)["last-modified"]
    for stated, expected in (
        (known["ETag"], b"89"),
        (modified, b"89"),
        ('"another"', b"0123456789"),
        (f"W/{known['ETag']}", b"0123456789"),
        ("Wed, 02 Jan 2030 03:04:05 GMT", b"0123456789"),
    ):

        def resume(request: Any, stated: str = stated, **_: Any) -> None:
            request.headers["If-Range"] = stated

        s3.meta.events.register("before-sign.s3.GetObject", resume)
        assert s3.get_object(**where, Range="bytes=8-")["Body"].read() == expected
        s3.meta.events.unregister("before-sign.s3.GetObject", resume)


def test_a_range_beyond_the_end_is_told_the_size(s3: Any, bucket: str, refused: Refused) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    error = refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range="bytes=-3")
    assert error["Error"]["RangeRequested"] == "bytes=-3"
    assert headers_of(error)["content-range"] == "bytes */0"


def test_delete_markers_name_themselves(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**where, Body=b"1")
    marker = s3.delete_object(**where)["VersionId"]
    found = headers_of(refused("NoSuchKey", s3.get_object, **where))
    assert (found["x-amz-delete-marker"], found["x-amz-version-id"]) == ("true", marker)
    found = headers_of(refused("405", s3.head_object, **where, VersionId=marker))
    assert (found["x-amz-delete-marker"], found["allow"]) == ("true", "DELETE")
    assert "last-modified" in found
    source = {**where, "VersionId": marker}
    refused("InvalidRequest", s3.copy_object, Bucket=bucket, Key="c", CopySource=source)
    assert s3.list_object_versions(Bucket=bucket)["DeleteMarkers"][0]["Owner"]["ID"]


def test_an_empty_version_id_is_not_the_current_one(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"1")
    for call in (s3.get_object, s3.delete_object, s3.get_object_tagging):
        refused("InvalidArgument", call, **where, VersionId="")
    entry = {"Key": "k", "VersionId": ""}
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [entry]})
    assert [error["Code"] for error in answer["Errors"]] == ["NoSuchVersion"]
    assert s3.get_object(**where)["ContentLength"] == 1


# Smithy's model of S3: clients of Rust compare the root element's name.
@pytest.mark.parametrize(
    ("operation", "further", "root"),
    [
        ("get_bucket_acl", {}, "AccessControlPolicy"),
        ("get_bucket_tagging", {}, "Tagging"),
        ("get_bucket_logging", {}, "BucketLoggingStatus"),
        ("get_bucket_request_payment", {}, "RequestPaymentConfiguration"),
        ("get_bucket_notification_configuration", {}, "NotificationConfiguration"),
        ("get_bucket_accelerate_configuration", {}, "AccelerateConfiguration"),
        ("get_object_acl", {"Key": "k"}, "AccessControlPolicy"),
        ("get_object_tagging", {"Key": "k"}, "Tagging"),
        (
            "get_object_attributes",
            {"Key": "k", "ObjectAttributes": ["ETag"]},
            "GetObjectAttributesResponse",
        ),
    ],
)
def test_root_elements(
    s3: Any, bucket: str, operation: str, further: dict[str, Any], root: str
) -> None:
    tagging = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tagging)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="a=b")
    bodies: list[bytes] = []
    s3.meta.events.register(
        "before-parse.s3", lambda response_dict, **_: bodies.append(response_dict["body"])
    )
    getattr(s3, operation)(Bucket=bucket, **further)
    assert ET.fromstring(bodies[0]).tag.rpartition("}")[2] == root


def test_markers_of_the_first_list(s3: Any, bucket: str) -> None:
    for key in ("a/1", "a/2", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert "NextMarker" not in s3.list_objects(Bucket=bucket, MaxKeys=1)
    page = s3.list_objects(Bucket=bucket, MaxKeys=1, Delimiter="/")
    assert (page["CommonPrefixes"], page["NextMarker"]) == ([{"Prefix": "a/"}], "a/")
    page = s3.list_objects(Bucket=bucket, MaxKeys=1, Delimiter="/", Marker="a/")
    assert ([entry["Key"] for entry in page["Contents"]], page["NextMarker"]) == (["b"], "b")


def test_metadata_that_is_not_ascii(s3: Any, bucket: str) -> None:
    # The example of the S3 User Guide, "User-defined object metadata".
    sent = "ÄMÄZÕÑ S3"  # botocore signs, and urllib3 sends, its UTF-8
    s3.meta.events.register(
        "before-sign.s3.PutObject",
        lambda request, **_: request.headers.add_header("x-amz-meta-nonascii", sent),
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    found = s3.head_object(Bucket=bucket, Key="k")["Metadata"]
    assert found == {"nonascii": "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="}


def test_a_bucket_in_the_hosts_name(cloud: RunningCloud, s3: Any, bucket: str) -> None:
    def host(request: Any, **_: Any) -> None:
        request.url = request.url.replace(f"/{bucket}", "", 1)
        request.headers["Host"] = f"{bucket}.localhost:{cloud.port}"

    hosted = cloud.client("s3")
    hosted.meta.events.register("before-sign.s3", host)
    hosted.put_object(Bucket=bucket, Key="a/new b", Body=b"")  # not a bucket of the name "a"
    assert s3.head_object(Bucket=bucket, Key="a/new b")["ContentLength"] == 0
    hosted.delete_object(Bucket=bucket, Key="a/new b")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("answers.localhost:4566", ("answers", "a/b")),
        ("answers.s3.localhost", ("answers", "a/b")),
        ("an.swers.s3.us-east-1.amazonaws.com", ("an.swers", "a/b")),
        ("Answers.s3.amazonaws.com", ("answers", "a/b")),
        ("localhost:4566", ("a", "b")),
        ("s3.localhost", ("a", "b")),
        ("s3.eu-west-1.amazonaws.com", ("a", "b")),
    ],
)
def test_which_bucket_a_host_names(host: str, expected: tuple[str, str]) -> None:
    assert split_address(RawRequest("GET", "/a/b", "", {"host": host}, b"")) == expected


def test_a_browsers_form_is_refused_by_name(cloud: RunningCloud, bucket: str) -> None:
    kind = {"content-type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(
        f"{cloud.endpoint}/{bucket}", b"--x--\r\n", kind, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, context=create_default_context(cafile=cloud.ca))
    with caught.value as answer:
        assert (answer.code, b"POST Object" in answer.read()) == (501, True)


def test_a_bucket_with_uploads_under_way_is_deleted(
    cloud: RunningCloud, s3: Any, bucket: str, refused: Refused
) -> None:
    def files() -> set[str]:
        return {path.name for path in (cloud.lab / "cloud" / "objects").glob("*/*")}

    before = files()
    named = {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    s3.upload_part(**named, PartNumber=1, Body=b"x")
    assert files() > before
    s3.delete_bucket(Bucket=bucket)
    assert files() == before
    refused("NoSuchBucket", s3.upload_part, **named, PartNumber=2, Body=b"x")
    s3.create_bucket(Bucket=bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("seconds", [0, 604_801])
def test_a_presigned_life_that_is_none(
    cloud: RunningCloud, s3: Any, bucket: str, seconds: int
) -> None:
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=seconds)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, context=create_default_context(cafile=cloud.ca))
    with caught.value as answer:
        assert answer.code == 400
        assert b"<Code>AuthorizationQueryParametersError</Code>" in answer.read()


def test_what_a_completion_says_is_compared_or_refused(
    s3: Any, bucket: str, refused: Refused
) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    named = {**where, "UploadId": upload}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**named, PartNumber=n, Body=b"x")["ETag"]}
        for n in (1, 2)
    ]
    complete = s3.complete_multipart_upload
    error = refused("EntityTooSmall", complete, **named, MultipartUpload={"Parts": parts})
    assert error["Error"]["MinSizeAllowed"] == str(5 * 1024**2)
    assert (error["Error"]["ProposedSize"], error["Error"]["PartNumber"]) == ("1", "1")
    for wrong, code in (
        ({"PartNumber": 1}, "MalformedXML"),
        ({"ETag": parts[0]["ETag"]}, "MalformedXML"),
        ({**parts[0], "ChecksumSHA512": "AAAA"}, "InvalidRequest"),
    ):
        refused(code, complete, **named, MultipartUpload={"Parts": [wrong]})
    whole = {"Parts": parts[:1]}
    refused("InvalidRequest", complete, **named, MultipartUpload=whole, ChecksumMD5="AAAA")
    began = datetime.now(UTC)
    refused("NotImplemented", s3.abort_multipart_upload, **named, IfMatchInitiatedTime=began)
    complete(**named, MultipartUpload=whole)
