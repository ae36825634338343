"""Buckets of several regions in one cloud: made by name, met where they are."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from ssl import create_default_context
from typing import Any

import pytest
from botocore.config import Config

from tests.cloud.conftest import DATA, RunningCloud

Refused = Callable[..., Any]
THERE = {"LocationConstraint": "eu-west-1"}


@pytest.fixture
def name() -> str:
    return f"regions-{uuid.uuid4().hex}"


def client(cloud: RunningCloud, region: str) -> Any:
    return cloud.session(DATA).client(
        "s3", region_name=region, endpoint_url=cloud.endpoint, verify=cloud.ca,
        config=Config(signature_version="s3v4", retries={"max_attempts": 1}),
    )  # fmt: skip


@pytest.fixture
def europe(cloud: RunningCloud) -> Any:
    made = client(cloud, "eu-west-1")
    yield made
    made.close()


@pytest.fixture
def virginia(cloud: RunningCloud) -> Any:
    return cloud.client("s3")


def test_a_bucket_is_where_it_was_made(europe: Any, virginia: Any, name: str) -> None:
    europe.create_bucket(Bucket=name, CreateBucketConfiguration=THERE)
    europe.put_object(Bucket=name, Key="k", Body=b"x")
    assert europe.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    assert virginia.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    listed = {b["Name"]: b["BucketRegion"] for b in virginia.list_buckets()["Buckets"]}
    assert listed[name] == "eu-west-1"
    only = europe.list_buckets(BucketRegion="us-east-1")["Buckets"]
    assert name not in {b["Name"] for b in only}
    # boto3 follows to the bucket's region by itself.
    assert virginia.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    assert virginia.head_object(Bucket=name, Key="k")["ContentLength"] == 1


def test_a_client_of_another_region_is_told(cloud: RunningCloud, europe: Any, name: str) -> None:
    europe.create_bucket(Bucket=name, CreateBucketConfiguration=THERE)
    asked = []
    asia = client(cloud, "ap-south-1")
    asia.meta.events.register(
        "before-parse.s3.*", lambda response_dict, **_: asked.append(response_dict)
    )
    assert asia.list_objects_v2(Bucket=name)["KeyCount"] == 0  # boto3 followed
    first = asked[0]
    assert first["status_code"] == 400
    assert first["headers"]["x-amz-bucket-region"] == "eu-west-1"
    assert b"AuthorizationHeaderMalformed" in first["body"]
    asia.close()


def test_a_presigned_url_of_another_region(cloud: RunningCloud, europe: Any, name: str) -> None:
    europe.create_bucket(Bucket=name, CreateBucketConfiguration=THERE)
    asia = client(cloud, "ap-south-1")
    url = asia.generate_presigned_url("get_object", {"Bucket": name, "Key": "k"})
    asia.close()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, context=create_default_context(cafile=cloud.ca))
    with caught.value as answer:
        assert (answer.code, answer.headers["x-amz-bucket-region"]) == (400, "eu-west-1")
        body = answer.read()
    assert b"<Code>AuthorizationQueryParametersError</Code>" in body
    assert b"the region 'ap-south-1' is wrong; expecting 'eu-west-1'" in body


def test_constraints(europe: Any, virginia: Any, name: str, refused: Refused) -> None:
    code = "IllegalLocationConstraintException"
    refused(code, europe.create_bucket, Bucket=name)
    other = {"LocationConstraint": "ap-south-1"}
    refused(code, europe.create_bucket, Bucket=name, CreateBucketConfiguration=other)
    virginia.create_bucket(Bucket=name, CreateBucketConfiguration=THERE)
    assert europe.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    again = {"Bucket": name, "CreateBucketConfiguration": THERE}
    refused("BucketAlreadyOwnedByYou", europe.create_bucket, **again)
    refused("BucketAlreadyOwnedByYou", virginia.create_bucket, Bucket=name)


def test_a_copy_crosses_regions(europe: Any, virginia: Any, name: str) -> None:
    europe.create_bucket(Bucket=name, CreateBucketConfiguration=THERE)
    virginia.create_bucket(Bucket=f"us-{name[:50]}")
    virginia.put_object(Bucket=f"us-{name[:50]}", Key="k", Body=b"x")
    europe.copy_object(Bucket=name, Key="k", CopySource=f"us-{name[:50]}/k")
    assert europe.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
