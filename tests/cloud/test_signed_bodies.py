"""A captured signature is good for the body it was made for, whatever is added beside it."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4QueryAuth
from botocore.credentials import Credentials

from nitro_workflow.cloud.local.protocol import RawRequest
from tests.cloud.conftest import DATA, RunningCloud, allow, policy
from tests.cloud.test_sigv4 import TARGET, signed

BUCKET = "signed-bodies"
# What a request may carry without being signed for it.
DECOYS = [
    {"authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/kms/aws4_request"},
    {"authorization": "/s3/aws4_request"},
    {"content-encoding": "aws-chunked"},
]


@pytest.fixture
def s3(cloud: RunningCloud) -> Iterator[Any]:
    client = cloud.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.delete_object(Bucket=BUCKET, Key="key")
    client.delete_bucket(Bucket=BUCKET)


def send(cloud: RunningCloud, request: RawRequest, body: bytes, decoy: dict[str, str]) -> int:
    """Send a signed request with another body and with headers that nobody signed."""
    context = ssl.create_default_context(cafile=cloud.ca)
    connection = http.client.HTTPSConnection("127.0.0.1", cloud.port, context=context, timeout=60)
    headers = {**request.headers, **decoy, "content-length": str(len(body))}
    connection.request(request.method, f"{request.path}?{request.query}", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def credentials(cloud: RunningCloud) -> Credentials:
    pair = cloud.keys[DATA]
    return Credentials(pair["access_key_id"], pair["secret_access_key"])


class _DigestInQuery(S3SigV4QueryAuth):
    """A presigned request whose body is signed too, by ``x-amz-content-sha256``."""

    def payload(self, request: Any) -> str:
        return str(request.headers["X-Amz-Content-SHA256"])


@pytest.mark.parametrize(
    ("signer", "decoy"),
    # A signature in the header leaves that header no room for another.
    [(S3SigV4Auth, DECOYS[-1]), *((_DigestInQuery, decoy) for decoy in DECOYS)],
    ids=str,
)
def test_the_body_of_an_object_is_the_one_signed(
    cloud: RunningCloud, s3: Any, signer: Any, decoy: dict[str, str]
) -> None:
    body, evil = b"the owner's body", b"4\r\nEVIL\r\n0\r\n\r\n"
    request = signed(
        credentials(cloud), method="PUT", url=f"{cloud.endpoint}/{BUCKET}/key",
        # Botocore's presigner would move a body into the query.
        body=body if signer is S3SigV4Auth else b"",
        headers={"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()},
        signer=signer, service="s3",
    )  # fmt: skip
    assert send(cloud, request, body, {}) == 200
    assert send(cloud, request, evil, decoy) >= 400
    assert s3.get_object(Bucket=BUCKET, Key="key")["Body"].read() == body


@pytest.mark.parametrize("decoy", DECOYS, ids=str)
def test_a_presigned_bucket_policy_is_the_one_signed(
    cloud: RunningCloud, s3: Any, decoy: dict[str, str]
) -> None:
    resource = f"arn:aws:s3:::{BUCKET}/*"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    good = policy(deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}).encode()
    evil = policy(allow("s3:*", resource=resource, Principal="*")).encode()
    request = signed(
        credentials(cloud), method="PUT", url=f"{cloud.endpoint}/{BUCKET}?policy", body=b"",
        headers={"X-Amz-Content-SHA256": hashlib.sha256(good).hexdigest()},
        signer=_DigestInQuery, service="s3",
    )  # fmt: skip
    assert send(cloud, request, good, {}) == 204
    assert send(cloud, request, evil, decoy) >= 400
    assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == json.loads(good)
    s3.delete_bucket_policy(Bucket=BUCKET)


@pytest.mark.parametrize("decoy", DECOYS, ids=str)
def test_a_presigned_call_without_a_body_takes_none(
    cloud: RunningCloud, decoy: dict[str, str]
) -> None:
    request = signed(
        credentials(cloud), url=f"{cloud.endpoint}/", headers=dict(TARGET), body=b"",
        signer=SigV4QueryAuth,
    )  # fmt: skip
    assert send(cloud, request, b"", {}) == 200
    assert send(cloud, request, b'{"Limit": 1}', decoy) >= 400
