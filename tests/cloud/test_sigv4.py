"""Signatures: what botocore signs is accepted; anything that differs is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nitro_workflow.cloud.local.auth.session_tokens import make_session
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.protocol import RawRequest, RawResponse
from tests.cloud.conftest import DATA

URL = "https://127.0.0.1:4566/"
TARGET = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}


def keys(dispatcher: Dispatcher) -> Credentials:
    path = dispatcher.services.settings.folder / "credentials.json"
    pair = json.loads(path.read_text())[DATA]
    return Credentials(pair["access_key_id"], pair["secret_access_key"])


def signed(
    credentials: Credentials,
    *,
    method: str = "POST",
    url: str = URL,
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
    signer: Any = SigV4Auth,
    service: str = "kms",
    region: str = "us-east-1",
    **options: Any,
) -> RawRequest:
    request = AWSRequest(method, url, headers=TARGET if headers is None else headers, data=body)
    request.headers["Host"] = urlsplit(url).netloc
    signer(credentials, service, region, **options).add_auth(request)
    parts = urlsplit(request.url)
    lower = {name.lower(): value for name, value in request.headers.items()}
    return RawRequest(method, parts.path, parts.query, lower, body)


def code(response: RawResponse) -> str:
    assert isinstance(response.body, bytes)
    if response.status == 200:
        return "done"
    if response.body.startswith(b"{"):
        return str(json.loads(response.body)["__type"])
    return response.body.decode().partition("<Code>")[2].partition("</Code>")[0]


def test_a_good_signature_is_accepted(dispatcher: Dispatcher) -> None:
    assert code(dispatcher.handle(signed(keys(dispatcher)))) == "done"


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"{} "},
        {"method": "PUT"},
        {"path": "/x"},
        {"query": "a=b"},
        {"headers": {"host": "127.0.0.1:1"}},
        {"headers": {"x-amz-target": "TrentService.ListAliases"}},
        {"headers": {"x-amz-security-token": "added"}},
        {"headers": {"x-amz-meta-added": "unsigned"}},
    ],
    ids=lambda change: "-".join(map(str, change)),
)
def test_whatever_was_signed_can_not_change(dispatcher: Dispatcher, change: dict[str, Any]) -> None:
    request = signed(keys(dispatcher))
    if "headers" in change:
        change = {"headers": {**request.headers, **change["headers"]}}
    answer = code(dispatcher.handle(replace(request, **change)))
    assert answer in ("InvalidSignatureException", "UnrecognizedClientException")


def test_each_character_of_the_signature_counts(dispatcher: Dispatcher) -> None:
    request = signed(keys(dispatcher))
    text = request.headers["authorization"]
    head, tail = text[:-64], text[-64:]
    for index in range(64):
        other = "0" if tail[index] != "0" else "1"
        changed = head + tail[:index] + other + tail[index + 1 :]
        forged = replace(request, headers={**request.headers, "authorization": changed})
        assert code(dispatcher.handle(forged)) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("", "IncompleteSignatureException"),
        ("Bearer x", "IncompleteSignatureException"),
        ("AWS AKIA:sig", "IncompleteSignatureException"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
            "IncompleteSignatureException",
        ),
    ],
)
def test_what_is_not_a_signature(dispatcher: Dispatcher, text: str | None, expected: str) -> None:
    headers = {**signed(keys(dispatcher)).headers}
    headers.pop("authorization")
    if text is not None:
        headers["authorization"] = text
    assert code(dispatcher.handle(RawRequest("POST", "/", "", headers, b"{}"))) == expected


def test_an_unknown_key_and_another_region(dispatcher: Dispatcher) -> None:
    stranger = Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)
    assert code(dispatcher.handle(signed(stranger))) == "UnrecognizedClientException"
    own = keys(dispatcher)
    answer = code(dispatcher.handle(signed(own, region="eu-west-1")))
    assert answer == "InvalidSignatureException"
    assert (
        code(dispatcher.handle(signed(own, service="dynamodb"))) == "UnsupportedOperationException"
    )


@pytest.mark.parametrize(
    ("minutes", "expected"), [(4, "done"), (-4, "done"), (6, "bad"), (-6, "bad")]
)
def test_five_minutes_of_clock_skew(dispatcher: Dispatcher, minutes: int, expected: str) -> None:
    later = replace(dispatcher, clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    answer = later.handle(signed(keys(dispatcher)))
    assert code(answer) == ("done" if expected == "done" else "InvalidSignatureException")
    if expected == "bad":
        assert b"Signature " in answer.body


@pytest.mark.parametrize(("minutes", "expected"), [(14, "done"), (16, "RequestTimeTooSkewed")])
def test_s3_has_fifteen_minutes(dispatcher: Dispatcher, minutes: int, expected: str) -> None:
    later = replace(dispatcher, clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    request = signed(
        keys(dispatcher), method="GET", headers={}, body=b"", signer=S3SigV4Auth, service="s3"
    )
    assert code(later.handle(request)) == expected


def session_keys(dispatcher: Dispatcher, life: timedelta) -> Credentials:
    services = dispatcher.services
    with services.store.transaction() as db:
        db.execute(
            "INSERT OR IGNORE INTO entities VALUES ('arn:aws:iam::111122223333:role/R', 'role', "
            "'111122223333', 'R', '/', 'AROA1', '2026-01-01T00:00:00+00:00', '{}', NULL, NULL, "
            "3600, '[]')"
        )
    row = services.store.read().execute("SELECT * FROM entities WHERE name = 'R'").fetchone()
    made = make_session(services.vault, row, name="s", expires=datetime.now(UTC) + life)
    return Credentials(made.access_key_id, made.secret_access_key, made.token)


def test_session_tokens(dispatcher: Dispatcher) -> None:
    good = session_keys(dispatcher, timedelta(minutes=1))
    assert code(dispatcher.handle(signed(good))) == "AccessDeniedException"  # known, not allowed
    old = session_keys(dispatcher, timedelta(seconds=-1))
    assert code(dispatcher.handle(signed(old))) == "ExpiredTokenException"
    without = Credentials(good.access_key, good.secret_key)
    assert code(dispatcher.handle(signed(without))) == "UnrecognizedClientException"
    foreign = Credentials(good.access_key, good.secret_key, old.token)
    assert code(dispatcher.handle(signed(foreign))) == "UnrecognizedClientException"
    broken = Credentials(good.access_key, good.secret_key, "A" + good.token[1:])
    assert code(dispatcher.handle(signed(broken))) == "UnrecognizedClientException"


def test_a_session_ends_with_its_role(dispatcher: Dispatcher) -> None:
    good = session_keys(dispatcher, timedelta(minutes=1))
    with dispatcher.services.store.transaction() as db:
        db.execute("UPDATE entities SET id = 'AROA2' WHERE name = 'R'")
    assert code(dispatcher.handle(signed(good))) == "UnrecognizedClientException"


def presigned(dispatcher: Dispatcher, **options: Any) -> RawRequest:
    url = URL + "bucket/a%20b?list-type=2"
    return signed(
        keys(dispatcher), method="GET", url=url, headers={}, body=b"", signer=S3SigV4QueryAuth,
        service="s3", **options,
    )  # fmt: skip


def test_presigned(dispatcher: Dispatcher) -> None:
    request = presigned(dispatcher, expires=60)
    assert code(dispatcher.handle(request)) == "NoSuchBucket"  # authenticated
    later = replace(dispatcher, clock=lambda: datetime.now(UTC) + timedelta(seconds=61))
    assert code(later.handle(request)) == "AccessDenied"
    longer = request.query.replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert code(dispatcher.handle(replace(request, query=longer))) == "SignatureDoesNotMatch"
    assert code(dispatcher.handle(replace(request, path="/bucket/b"))) == "SignatureDoesNotMatch"
    endless = request.query.replace("X-Amz-Expires=60", "X-Amz-Expires=700000")
    malformed = code(dispatcher.handle(replace(request, query=endless)))
    assert malformed == "AuthorizationHeaderMalformed"
    added = {**request.headers, "x-amz-acl": "public-read"}
    assert code(dispatcher.handle(replace(request, headers=added))) == "SignatureDoesNotMatch"


def test_presigned_sts(dispatcher: Dispatcher) -> None:
    url = URL + "?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed(
        keys(dispatcher), method="GET", url=url, headers={}, body=b"", signer=SigV4QueryAuth,
        service="sts",
    )  # fmt: skip
    answer = dispatcher.handle(request)
    assert b"user/operator" in answer.body


def test_signature_version_2_is_named(dispatcher: Dispatcher) -> None:
    request = RawRequest("GET", "/b/k", "AWSAccessKeyId=A&Signature=s&Expires=1", {"host": "h"})
    answer = dispatcher.handle(request)
    assert code(answer) == "InvalidRequest"
    assert b"AWS4-HMAC-SHA256" in answer.body


def test_an_inactive_key(dispatcher: Dispatcher) -> None:
    own = keys(dispatcher)
    with dispatcher.services.store.transaction() as db:
        db.execute("UPDATE access_keys SET status = 'Inactive' WHERE id = ?", (own.access_key,))
    assert code(dispatcher.handle(signed(own))) == "UnrecognizedClientException"
