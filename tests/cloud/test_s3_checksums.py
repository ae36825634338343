"""Checksums of objects in parts: composite and full, compared, given back, part by part."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from nitro_workflow.cloud.local.protocol import encode_checksum, new_checksum
from tests.cloud.conftest import RunningCloud

Refused = Callable[..., Any]
FIRST, SECOND = os.urandom(5 * 1024**2 + 7), b"the end"
# Check value of "123456789" (the CRC catalogue; RFC 3720; FIPS 180-4).
CHECKED = {"CRC32": "y/Q5Jg==", "CRC32C": "4waSgw==", "CRC64NVME": "rosUhgp5mIg="}
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def checksum(data: bytes, algorithm: str) -> dict[str, str]:
    """The member that states it: boto3 has neither CRC32C nor CRC64NVME without its C library.

    The algorithms themselves are held to their check values in `test_check_values`.
    """
    made = new_checksum(algorithm)
    made.update(data)
    return {f"Checksum{algorithm}": encode_checksum(made.digest())}


def begin(s3: Any, bucket: str, **stated: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    """Upload two parts; return where, the parts as CompleteMultipartUpload names them, the start."""
    where = {"Bucket": bucket, "Key": "k"}
    made = s3.create_multipart_upload(**where, **stated)
    where["UploadId"] = made["UploadId"]
    parts = []
    for number, body in ((1, FIRST), (2, SECOND)):
        sums = checksum(body, stated["ChecksumAlgorithm"]) if stated else {}
        part = s3.upload_part(**where, **sums, PartNumber=number, Body=body)
        sums = {k: v for k, v in part.items() if k.startswith("Checksum")}
        parts.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    return where, parts, made


@pytest.mark.parametrize(("algorithm", "value"), CHECKED.items())
def test_check_values(s3: Any, bucket: str, algorithm: str, value: str, refused: Refused) -> None:
    stated = {f"Checksum{algorithm}": value}
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **stated)
    assert (put[f"Checksum{algorithm}"], put["ChecksumType"]) == (value, "FULL_OBJECT")
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"12345678", **stated)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_of_parts(s3: Any, bucket: str, algorithm: str) -> None:
    where, parts, made = begin(s3, bucket, ChecksumAlgorithm=algorithm)
    kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (algorithm, kind)
    listed = s3.list_parts(**where)
    assert listed["ChecksumAlgorithm"] == algorithm
    assert listed["Parts"][0][f"Checksum{algorithm}"] == parts[0][f"Checksum{algorithm}"]
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    member = f"Checksum{algorithm}"
    whole = checksum(FIRST + SECOND, algorithm)
    joined = b"".join(base64.b64decode(part[member]) for part in parts)
    composite = checksum(joined, algorithm)
    expected = whole[member] if kind == "FULL_OBJECT" else f"{composite[member]}-2"
    assert (done[member], done["ChecksumType"]) == (expected, kind)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[member], head["ChecksumType"]) == (expected, kind)
    assert member not in s3.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C"])
def test_full_objects_of_parts(s3: Any, bucket: str, algorithm: str, refused: Refused) -> None:
    full = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}
    where, parts, _ = begin(s3, bucket, **full)
    member = f"Checksum{algorithm}"
    whole = checksum(FIRST + SECOND, algorithm)[member]
    complete, parts_only = s3.complete_multipart_upload, {"MultipartUpload": {"Parts": parts}}
    refused("BadDigest", complete, **where, **parts_only, **{member: "AAAAAA=="})
    refused("InvalidRequest", complete, **where, **parts_only, ChecksumType="COMPOSITE")
    refused("InvalidRequest", complete, **where, **parts_only, MpuObjectSize=1)
    size = len(FIRST + SECOND)
    done = complete(**where, **parts_only, **{member: whole}, MpuObjectSize=size)
    assert done[member] == whole


def test_s3s_own_where_nothing_is_said(cloud: RunningCloud, s3: Any, bucket: str) -> None:
    plain = cloud.client("s3", request_checksum_calculation="when_required")
    where, parts, made = begin(plain, bucket)
    assert "ChecksumAlgorithm" not in made
    assert all(part.keys() == {"PartNumber", "ETag", "ChecksumCRC64NVME"} for part in parts)
    named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
    plain.complete_multipart_upload(**where, MultipartUpload={"Parts": named})
    whole = checksum(FIRST + SECOND, "CRC64NVME")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == whole["ChecksumCRC64NVME"]
    assert head["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_a_composite_sum_needs_its_parts(
    s3: Any, bucket: str, algorithm: str, refused: Refused
) -> None:
    where, parts, _ = begin(s3, bucket, ChecksumAlgorithm=algorithm)
    second = {"PartNumber": 2, "ETag": parts[1]["ETag"]}
    chosen = {"Parts": [parts[0], second]}
    error = refused("InvalidRequest", s3.complete_multipart_upload, **where, MultipartUpload=chosen)
    assert f"using a {algorithm.lower()} checksum" in error["Error"]["Message"]
    assert "missing for part 2" in error["Error"]["Message"]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


def test_a_full_sum_needs_nothing_of_parts(s3: Any, bucket: str) -> None:
    full = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    where, parts, _ = begin(s3, bucket, **full)
    named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": named})
    # ... and S3 says nothing of its parts but their number.
    read = {"Bucket": bucket, "Key": "k"}
    found = s3.get_object_attributes(**read, ObjectAttributes=["ObjectParts", "Checksum"])
    assert found["ObjectParts"] == {"TotalPartsCount": 2}
    assert found["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    part = s3.head_object(**read, PartNumber=2, ChecksumMode="ENABLED")
    assert not {"ChecksumCRC32", "ChecksumType"} & part.keys()


def test_a_part_of_a_composite_sum_has_one(
    cloud: RunningCloud, bucket: str, refused: Refused
) -> None:
    plain = cloud.client("s3", request_checksum_calculation="when_required")
    for kind in ("COMPOSITE", "FULL_OBJECT"):
        where = {"Bucket": bucket, "Key": "k"}
        stated = {"ChecksumAlgorithm": "CRC32C", "ChecksumType": kind}
        where["UploadId"] = plain.create_multipart_upload(**where, **stated)["UploadId"]
        if kind == "COMPOSITE":
            error = refused("InvalidRequest", plain.upload_part, **where, PartNumber=1, Body=b"x")
            assert "expected checksum Type: crc32c, actual" in error["Error"]["Message"]
        else:
            plain.upload_part(**where, PartNumber=1, Body=b"x")


def test_what_is_said_of_parts_is_compared(s3: Any, bucket: str, refused: Refused) -> None:
    where, parts, _ = begin(s3, bucket, ChecksumAlgorithm="CRC32")
    complete = s3.complete_multipart_upload
    for wrong in ({"ChecksumCRC32": "AAAAAA=="}, {"ChecksumSHA256": "A" * 43 + "="}):
        named = [{**parts[0], **wrong}, parts[1]]
        refused("InvalidPart", complete, **where, MultipartUpload={"Parts": named})
    for wrong in ({}, {"ChecksumAlgorithm": "SHA256"}):
        sent = {"PartNumber": 3, "Body": b"x", **wrong}
        if wrong:
            refused("InvalidRequest", s3.upload_part, **where, **sent)
    done = complete(**where, MultipartUpload={"Parts": parts})
    value = base64.b64encode(
        zlib.crc32(b"".join(base64.b64decode(p["ChecksumCRC32"]) for p in parts)).to_bytes(4, "big")
    ).decode()
    assert done["ChecksumCRC32"] == f"{value}-2"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")],
)
def test_pairs_that_there_are_not(
    s3: Any, bucket: str, refused: Refused, algorithm: str, kind: str
) -> None:
    pair = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    refused("InvalidRequest", s3.create_multipart_upload, Bucket=bucket, Key="k", **pair)


@pytest.mark.parametrize("algorithm", ["SHA512", "XXHASH64", "MD5"])
def test_algorithms_that_are_not_done_are_named(
    s3: Any, bucket: str, refused: Refused, algorithm: str
) -> None:
    given = {"Bucket": bucket, "Key": "k", "ChecksumAlgorithm": algorithm}
    error = refused("InvalidRequest", s3.create_multipart_upload, **given)
    assert algorithm in error["Error"]["Message"]


def test_parts_of_an_object(s3: Any, bucket: str, refused: Refused) -> None:
    where, parts, _ = begin(s3, bucket, ChecksumAlgorithm="CRC32")
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    read = {"Bucket": bucket, "Key": "k", "ChecksumMode": "ENABLED"}
    second = s3.get_object(**read, PartNumber=2)
    assert second["Body"].read() == SECOND
    assert (
        second["ContentRange"]
        == f"bytes {len(FIRST)}-{len(FIRST + SECOND) - 1}/{len(FIRST + SECOND)}"
    )
    assert (second["PartsCount"], second["ResponseMetadata"]["HTTPStatusCode"]) == (2, 206)
    assert second["ChecksumCRC32"] == parts[1]["ChecksumCRC32"]
    assert second["ChecksumType"] == "COMPOSITE"
    head = s3.head_object(**read, PartNumber=1)
    assert (head["ContentLength"], head["PartsCount"]) == (len(FIRST), 2)
    for number in (0, 3, 10_000):
        error = refused("416", s3.head_object, **read, PartNumber=number)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 416
    refused("InvalidPartNumber", s3.get_object, **read, PartNumber=3)
    refused("InvalidRequest", s3.get_object, **read, PartNumber=1, Range="bytes=0-1")


def test_an_object_in_one_piece_is_its_first_part(s3: Any, bucket: str, refused: Refused) -> None:
    where = {"Bucket": bucket, "Key": "one"}
    s3.put_object(**where, Body=b"abc")
    part = s3.get_object(**where, PartNumber=1)
    assert part["Body"].read() == b"abc"
    assert "PartsCount" not in part
    refused("InvalidPartNumber", s3.get_object, **where, PartNumber=2)
    s3.put_object(**where, Body=b"")
    assert s3.get_object(**where, PartNumber=1)["ContentLength"] == 0


def test_head_with_a_range(s3: Any, bucket: str, refused: Refused) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    head = s3.head_object(Bucket=bucket, Key="k", Range="bytes=2-5")
    assert (head["ContentLength"], head["ContentRange"]) == (4, "bytes 2-5/10")
    assert head["ResponseMetadata"]["HTTPStatusCode"] == 206
    refused("416", s3.head_object, Bucket=bucket, Key="k", Range="bytes=10-")
    odd = s3.get_object(Bucket=bucket, Key="k", Range="bytes=" + "9" * 5000 + "-")
    assert odd["ContentLength"] == 10


def test_attributes(s3: Any, bucket: str) -> None:
    where, parts, _ = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    read = {"Bucket": bucket, "Key": "k", "ObjectAttributes": names}
    found = s3.get_object_attributes(**read, MaxParts=1)
    assert found["ObjectSize"] == len(FIRST + SECOND)
    assert found["ETag"].endswith("-2")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == found["Checksum"]["ChecksumSHA256"] + "-2"
    listed = found["ObjectParts"]
    assert (listed["TotalPartsCount"], listed["IsTruncated"]) == (2, True)
    digest = base64.b64encode(hashlib.sha256(FIRST).digest()).decode()
    assert listed["Parts"] == [{"PartNumber": 1, "Size": len(FIRST), "ChecksumSHA256": digest}]
    s3.put_object(Bucket=bucket, Key="one", Body=b"x")
    one = s3.get_object_attributes(**{**read, "Key": "one", "ObjectAttributes": ["ObjectParts"]})
    assert not {"ObjectParts", "ETag", "ObjectSize"} & one.keys()
