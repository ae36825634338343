"""The protocol layer against botocore's models, and against moto's answers as a second opinion."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.catalogue import SERVICES
from nitro_workflow.cloud.local.protocol import (
    RawRequest,
    find_operation,
    load_model,
    read_request,
    write_fault,
    write_result,
)
from nitro_workflow.cloud.local.protocol.scalars import read_scalar
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, policy


def serialised(service: str, operation: str, params: dict[str, Any]) -> RawRequest:
    """What botocore itself would send."""
    import botocore.session

    client = botocore.session.Session().create_client(
        service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
        endpoint_url="https://127.0.0.1:1",
    )  # fmt: skip
    caught: list[Any] = []

    def keep(request: Any, **_: Any) -> Any:
        import botocore.awsrequest

        caught.append(request)
        return botocore.awsrequest.AWSResponse(request.url, 500, {}, _Raw())

    class _Raw:
        def stream(self, *_: Any, **__: Any) -> Any:
            return iter(())

    client.meta.events.register("before-send", keep)
    import re

    name = re.sub(r"(?<!^)(?=[A-Z][a-z]|(?<=[a-z])[A-Z])", "_", operation).lower()
    with pytest.raises(ClientError):
        getattr(client, name)(**params)
    client.close()
    request = caught[0]
    path, _, query = request.url.removeprefix("https://127.0.0.1:1").partition("?")
    headers = {
        k.lower(): v if isinstance(v, str) else v.decode() for k, v in request.headers.items()
    }
    body = request.body or b""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    return RawRequest(request.method, path, query, headers, raw)


TIME = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
CASES = [
    ("kms", "Encrypt", {"KeyId": "k", "Plaintext": b"\x00\xff", "EncryptionContext": {"a": "ü"}}),
    ("kms", "ListGrants", {"KeyId": "k", "Limit": 5}),
    ("iam", "CreateRole", {"RoleName": "R", "AssumeRolePolicyDocument": "{}", "Tags": [
        {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ü&="}], "MaxSessionDuration": 7200}),
    ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::111122223333:role/R", "RoleSessionName": "me",
     "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/xxxxxxx"}]}),
    ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 2, "EnclaveOptions": {"Enabled": True},
     "IamInstanceProfile": {"Name": "p"}, "TagSpecifications": [
         {"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]}),
    ("ec2", "DescribeInstances", {"InstanceIds": ["i-1", "i-2"],
     "Filters": [{"Name": "n", "Values": ["a", "b"]}]}),
    ("cloudtrail", "LookupEvents", {"StartTime": TIME, "MaxResults": 3, "LookupAttributes": [
        {"AttributeKey": "EventName", "AttributeValue": "Decrypt"}]}),
    ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "a b/ü", "MaxKeys": 7}),
    ("s3", "GetObject", {"Bucket": "b", "Key": "x y/ü+", "Range": "bytes=0-1",
     "IfModifiedSince": TIME, "VersionId": "v"}),
    ("s3", "PutBucketVersioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "Enabled"}}),
    ("s3", "CompleteMultipartUpload", {"Bucket": "b", "Key": "k", "UploadId": "u",
     "MultipartUpload": {"Parts": [{"ETag": '"x"', "PartNumber": 1}]}}),
    ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [
        {"Key": "a<&>"}, {"Key": "b", "VersionId": "1"}], "Quiet": True}}),
    ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": policy()}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "params"), CASES, ids=lambda v: str(v)[:24])
def test_what_botocore_sends_is_what_is_read(
    service: str, operation: str, params: dict[str, Any]
) -> None:
    request = serialised(service, operation, params)
    model = load_model(service)
    assert find_operation(model, request) == operation
    read = read_request(model, operation, request)
    for name, value in params.items():
        assert read[name] == value


ROUTES = [
    ("GET", "/", "", "ListBuckets"),
    ("GET", "/b", "", "ListObjects"),
    ("GET", "/b/", "list-type=2", "ListObjectsV2"),
    ("GET", "/b", "versions", "ListObjectVersions"),
    ("GET", "/b", "policy", "GetBucketPolicy"),
    ("PUT", "/b", "", "CreateBucket"),
    ("PUT", "/b/k", "", "PutObject"),
    ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart"),
    ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
    ("POST", "/b/k", "uploadId=u", "CompleteMultipartUpload"),
    ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload"),
    ("DELETE", "/b/k", "versionId=1&x-id=DeleteObject", "DeleteObject"),
    ("GET", "/b/k", "uploadId=u", "ListParts"),
    ("GET", "/b/k", "acl", "GetObjectAcl"),
    ("HEAD", "/b/k", "", "HeadObject"),
    ("HEAD", "/b", "", "HeadBucket"),
    ("POST", "/b", "delete", "DeleteObjects"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "operation"), ROUTES)
def test_routes(method: str, path: str, query: str, operation: str) -> None:
    assert find_operation(load_model("s3"), RawRequest(method, path, query, {})) == operation


def test_no_route() -> None:
    with pytest.raises(ServiceFault) as caught:
        find_operation(load_model("s3"), RawRequest("PATCH", "/b/k", "", {}))
    assert caught.value.status == 405


def json_request(body: bytes, target: str = "TrentService.Encrypt") -> RawRequest:
    return RawRequest("POST", "/", "", {"x-amz-target": target}, body)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"{}", "ValidationException", "2 validation errors detected: Value null at 'keyId' failed"),
        (b"[]", "SerializationException", "not valid"),
        (b"{", "SerializationException", "not valid"),
        (b'{"KeyId": 5, "Plaintext": "AA=="}', "SerializationException", "String"),
        (b'{"KeyId": "k", "Plaintext": "%%"}', "SerializationException", "base64"),
        (b'{"KeyId": "", "Plaintext": "AA=="}', "ValidationException", "greater than or equal to 1"),
        (b'{"KeyId": "k", "Plaintext": "AA==", "EncryptionAlgorithm": "ROT13"}',
         "ValidationException", "Member must satisfy enum value set: ["),
        (b"[" * 100_000, "SerializationException", "not valid"),
        ("\ud800".encode("utf-8", "surrogatepass"), "SerializationException", "not valid"),
    ],
)  # fmt: skip
def test_bad_json(body: bytes, code: str, text: str) -> None:
    with pytest.raises(ServiceFault) as caught:
        read_request(load_model("kms"), "Encrypt", json_request(body))
    assert caught.value.code == code
    assert text in caught.value.message


def test_a_blob_is_never_echoed() -> None:
    body = json.dumps({"KeyId": "k", "Plaintext": "QUFB" * 4000}).encode()
    with pytest.raises(ServiceFault) as caught:
        read_request(load_model("kms"), "Encrypt", json_request(body))
    assert "AAA" not in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        *(b"<a>", b"", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a/>" * 2, b"\xff"),
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"),
    ],
)
def test_bad_xml(body: bytes) -> None:
    request = RawRequest("PUT", "/b", "versioning", {}, body)
    with pytest.raises(ServiceFault) as caught:
        read_request(load_model("s3"), "PutBucketVersioning", request)
    assert caught.value.code in ("MalformedXML", "InvalidArgument")


def test_bad_forms() -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    too_many = b"&".join(b"a%d=1" % n for n in range(3000))
    with pytest.raises(ServiceFault, match="MalformedQueryString"):
        find_operation(load_model("iam"), RawRequest("POST", "/", "", form, too_many))
    with pytest.raises(ServiceFault, match="InvalidAction"):
        find_operation(load_model("iam"), RawRequest("POST", "/", "", form, b"Action=Nope"))
    for body in (b"RoleName.x=1", b"RoleName=R&MaxSessionDuration=ten"):
        with pytest.raises(ServiceFault, match="ValidationError"):
            read_request(load_model("iam"), "CreateRole", RawRequest("POST", "/", "", form, body))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["kms", "iam", "ec2", "s3"]), st.binary(max_size=400), st.text(max_size=60))
def test_no_bytes_break_the_reader(service: str, body: bytes, query: str) -> None:
    operation = {"kms": "Decrypt", "iam": "CreateRole", "ec2": "RunInstances",
                 "s3": "DeleteObjects"}[service]  # fmt: skip
    raw = query.encode("utf-8", "replace").decode("latin-1")
    request = RawRequest("POST", "/b", raw, {"x-amz-target": "TrentService.Decrypt"}, body)
    with contextlib.suppress(ServiceFault):  # and nothing else
        read_request(load_model(service), operation, request)


@pytest.mark.parametrize("protocol", ["json", "query", "ec2", "rest-xml"])
def test_faults_are_read_by_botocore(protocol: str) -> None:
    raw = write_fault(protocol, ServiceFault("SomeCode", "a <b> & c", 403), "r-1")
    model = next(load_model(s.name) for s in SERVICES.values() if s.protocol == protocol)
    parsed = create_parser(protocol).parse(
        {"body": raw.body, "headers": dict(raw.headers), "status_code": raw.status},
        model.operation_model(model.operation_names[0]).output_shape,
    )
    assert parsed["Error"]["Code"] == "SomeCode"
    assert parsed["Error"]["Message"] == "a <b> & c"
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_results_are_read_by_botocore() -> None:
    result = {"Role": {"Path": "/", "RoleName": "<R>", "RoleId": "AROA", "Arn": "a", "CreateDate": TIME,
                       "Tags": [{"Key": "k", "Value": "&"}]}}  # fmt: skip
    model = load_model("iam")
    raw = write_result(model, "GetRole", result, "r-1")
    parsed = create_parser("query").parse(
        {"body": raw.body, "headers": dict(raw.headers), "status_code": 200},
        model.operation_model("GetRole").output_shape,
    )
    assert {k: v for k, v in parsed.items() if k != "ResponseMetadata"} == result
    assert parsed["ResponseMetadata"]["RequestId"] == "r-1"


def test_scalars() -> None:
    class Shape:
        type_name = "timestamp"

    assert read_scalar(Shape, "2026-11-25T01:02:03Z") == TIME
    assert read_scalar(Shape, "Wed, 25 Nov 2026 01:02:03 GMT") == TIME
    assert read_scalar(Shape, TIME.timestamp()) == TIME


def shape_of(value: Any) -> Any:
    """The names and types of an answer, without its values."""
    if isinstance(value, dict):
        return {k: shape_of(v) for k, v in value.items() if k != "ResponseMetadata"}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value).__name__


def ask(iam: Any, sts: Any, s3: Any, ec2: Any) -> dict[str, Any]:
    trust = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
                    "Action": "sts:AssumeRole"})  # fmt: skip
    answers = {"CreateRole": iam.create_role(RoleName="Moto", AssumeRolePolicyDocument=trust)}
    iam.create_instance_profile(InstanceProfileName="Moto")
    iam.add_role_to_instance_profile(InstanceProfileName="Moto", RoleName="Moto")
    answers["GetInstanceProfile"] = iam.get_instance_profile(InstanceProfileName="Moto")
    answers["GetCallerIdentity"] = sts.get_caller_identity()
    s3.create_bucket(Bucket="moto-bucket")
    s3.put_bucket_versioning(Bucket="moto-bucket", VersioningConfiguration={"Status": "Enabled"})
    answers["PutObject"] = s3.put_object(Bucket="moto-bucket", Key="k", Body=b"x")
    answers["ListObjectVersions"] = s3.list_object_versions(Bucket="moto-bucket")
    answers["ListObjectsV2"] = s3.list_objects_v2(Bucket="moto-bucket")
    answers["HeadObject"] = s3.head_object(Bucket="moto-bucket", Key="k")
    return answers


def test_answers_have_the_members_of_motos(cloud: RunningCloud) -> None:
    from moto import mock_aws

    names = ("iam", "sts", "s3", "ec2")
    ours = ask(*(cloud.client(name, COMPUTE) for name in names))
    with mock_aws():
        session = boto3.Session("a", "b", region_name="us-east-1")
        clients = [session.client(name) for name in names]
        theirs = ask(*clients)
        for client in clients:
            client.close()
    # moto adds what S3 answers for its own encryption at rest and storage class; this cloud's
    # objects are not encrypted at rest, and nothing says that they are.
    beside = {"ChecksumType", "RequestCharged", "ServerSideEncryption", "StorageClass"}
    for name, answer in ours.items():
        missing = shape_of(theirs[name]).keys() - shape_of(answer).keys() - beside
        assert (name, missing) == (name, set())


def test_accounts_are_in_the_answers(cloud: RunningCloud) -> None:
    assert cloud.client("sts").get_caller_identity()["Account"] == DATA
