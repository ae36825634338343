"""Error cases: the code and the status that AWS documents, and what moto answers to the same call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.cloud.conftest import COMPUTE, RunningCloud, policy

TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole"})  # fmt: skip
B, K = {"Bucket": "errors-bucket"}, {"Bucket": "errors-bucket", "Key": "missing"}
PART = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
ROLE, RUN = {"RoleName": "ErrorsRole"}, {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-0"}

# service, operation, parameters, AWS's code, HTTP status; and whether moto says the same.
TABLE = [
    ("iam", "get_role", {"RoleName": "None"}, "NoSuchEntity", 404, True),
    ("iam", "get_user", {"UserName": "None"}, "NoSuchEntity", 404, True),
    ("iam", "create_role", {**ROLE, "AssumeRolePolicyDocument": TRUST}, "EntityAlreadyExists", 409, True),
    ("iam", "delete_role", ROLE, "DeleteConflict", 409, True),
    ("iam", "get_role_policy", {**ROLE, "PolicyName": "none"}, "NoSuchEntity", 404, True),
    ("iam", "delete_role_policy", {**ROLE, "PolicyName": "none"}, "NoSuchEntity", 404, True),
    ("iam", "put_role_policy", {**ROLE, "PolicyName": "p", "PolicyDocument": "{"},
     "MalformedPolicyDocument", 400, True),
    ("iam", "get_instance_profile", {"InstanceProfileName": "none"}, "NoSuchEntity", 404, True),
    ("iam", "create_access_key", {"UserName": "none"}, "NoSuchEntity", 404, True),
    ("iam", "get_policy", {"PolicyArn": f"arn:aws:iam::{COMPUTE}:policy/none"}, "NoSuchEntity", 404, True),
    ("sts", "assume_role", {"RoleArn": "arn:aws:iam::x:role/R-and-more", "RoleSessionName": "me"},
     "ValidationError", 400, False),
    ("ec2", "describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]},
     "InvalidInstanceID.NotFound", 400, True),
    ("ec2", "terminate_instances", {"InstanceIds": ["i-0123456789abcdef0"]},
     "InvalidInstanceID.NotFound", 400, True),
    # moto runs an instance without the profile that was asked for
    ("ec2", "run_instances", {**RUN, "InstanceType": "m5.xlarge", "IamInstanceProfile": {"Name": "none"}},
     "InvalidParameterValue", 400, False),
    # moto gives enclaves to a type that has none
    ("ec2", "run_instances", {**RUN, "InstanceType": "t3.micro", "EnclaveOptions": {"Enabled": True}},
     "UnsupportedOperation", 400, False),
    ("s3", "get_object", K, "NoSuchKey", 404, True),
    ("s3", "get_object", {**K, "Key": "there", "VersionId": "none"}, "NoSuchVersion", 404, True),
    ("s3", "head_object", K, "404", 404, True),
    ("s3", "get_object", {**K, "Key": "there", "Range": "bytes=9-"}, "InvalidRange", 416, True),
    ("s3", "list_objects_v2", {"Bucket": "no-such-bucket"}, "NoSuchBucket", 404, True),
    ("s3", "put_object", {"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket", 404, True),
    ("s3", "delete_bucket", B, "BucketNotEmpty", 409, True),
    ("s3", "get_bucket_policy", B, "NoSuchBucketPolicy", 404, True),
    ("s3", "upload_part", {**K, "PartNumber": 1, "UploadId": "none", "Body": b""}, "NoSuchUpload", 404, False),
    ("s3", "complete_multipart_upload", {**K, "UploadId": "none", "MultipartUpload": PART},
     "NoSuchUpload", 404, False),
    ("s3", "put_object", {**K, "Body": b"x", "ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
     "BadDigest", 400, False),
    ("s3", "put_object", {**K, "Key": "there", "IfNoneMatch": "*"}, "PreconditionFailed", 412, True),
    ("s3", "create_bucket", {"Bucket": "UPPER"}, "InvalidBucketName", 400, False),
    # last, since moto keeps what is no policy, and fails after it
    ("s3", "put_bucket_policy", {**B, "Policy": "{}"}, "MalformedPolicy", 400, False),
]  # fmt: skip


def prepare(iam: Any, s3: Any) -> None:
    iam.create_role(**ROLE, AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(**ROLE, PolicyName="p", PolicyDocument=policy(
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))  # fmt: skip
    s3.create_bucket(**B)
    s3.put_object(**B, Key="there", Body=b"123")


def refusal(client: Any, operation: str, params: dict[str, Any]) -> tuple[str, int]:
    try:
        getattr(client, operation)(**params)
    except ClientError as error:
        response = error.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
    except KeyError:  # moto, on an upload it does not know
        return "InternalError", 500
    return "done", 200


@pytest.fixture(scope="module")
def ours(cloud: RunningCloud) -> dict[str, Any]:
    made = {name: cloud.client(name, COMPUTE) for name in ("iam", "sts", "ec2", "s3")}
    prepare(made["iam"], made["s3"])
    return made


@pytest.fixture(scope="module")
def motos() -> Iterator[dict[str, Any]]:
    with mock_aws():
        session = boto3.Session("a", "b", region_name="us-east-1")
        config = Config(retries={"max_attempts": 1})
        made = {name: session.client(name, config=config) for name in ("iam", "sts", "ec2", "s3")}
        prepare(made["iam"], made["s3"])
        yield made
        for client in made.values():
            client.close()


@pytest.mark.parametrize(("service", "operation", "params", "code", "status", "same"), TABLE)
def test_error_codes(
    ours: dict[str, Any], motos: dict[str, Any], service: str, operation: str,
    params: dict[str, Any], code: str, status: int, same: bool,
) -> None:  # fmt: skip
    assert refusal(ours[service], operation, params) == (code, status)
    theirs = refusal(motos[service], operation, params)
    assert (theirs == (code, status)) is same, theirs
