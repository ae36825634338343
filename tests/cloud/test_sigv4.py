"""Signatures: what botocore signs is accepted; anything that differs is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

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


def test_an_unknown_key_and_what_is_no_region(dispatcher: Dispatcher) -> None:
    stranger = Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)
    assert code(dispatcher.handle(signed(stranger))) == "UnrecognizedClientException"
    own = keys(dispatcher)
    assert code(dispatcher.handle(signed(own, region="eu-west-1"))) == "done"
    for region in (
        "",
        "mars-north-1",
        "us-gov-west-1",
        "cn-north-1",
        "eu-west-²",
        "x" * 300,
        "us-invented-1",
        "eu-west-77",
        "aws-global",
    ):
        answer = code(dispatcher.handle(signed(own, region=region)))
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
    other = "A" if good.token[0] != "A" else "B"  # a token begins with any letter
    broken = Credentials(good.access_key, good.secret_key, other + good.token[1:])
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
    assert malformed == "AuthorizationQueryParametersError"
    added = {**request.headers, "x-amz-acl": "public-read"}
    assert code(dispatcher.handle(replace(request, headers=added))) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "name", ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"]
)
def test_a_presigned_url_that_lacks_something(dispatcher: Dispatcher, name: str) -> None:
    request = presigned(dispatcher, expires=60)
    parts = [p for p in request.query.split("&") if not p.startswith(f"X-Amz-{name}=")]
    answer = dispatcher.handle(replace(request, query="&".join(parts)))
    assert code(answer) == "AuthorizationQueryParametersError"
    assert b"requires the X-Amz-Algorithm" in answer.body


def test_a_presigned_url_that_a_shell_cut(dispatcher: Dispatcher) -> None:
    request = RawRequest("GET", "/b/k", "X-Amz-Algorithm=AWS4-HMAC-SHA256", {"host": "h"})
    assert code(dispatcher.handle(request)) == "AuthorizationQueryParametersError"


def test_one_signature_a_request(dispatcher: Dispatcher) -> None:
    """S3 refuses two: which of them was meant?"""
    request = presigned(dispatcher, expires=60)
    both = {**request.headers, "authorization": "AWS4-HMAC-SHA256 x"}
    assert code(dispatcher.handle(replace(request, headers=both))) == "InvalidArgument"


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


def test_a_call_has_the_region_that_was_signed(dispatcher: Dispatcher) -> None:
    own = keys(dispatcher)
    for region in ("eu-west-1", "us-east-1"):
        assert code(dispatcher.handle(signed(own, region=region))) == "done"
    dispatcher.services.events.flush()
    query = "SELECT document FROM events ORDER BY seq DESC LIMIT 2"
    rows = dispatcher.services.store.read().execute(query).fetchall()
    assert [json.loads(row["document"])["awsRegion"] for row in rows] == ["us-east-1", "eu-west-1"]


class _CanonicalForm(S3SigV4Auth):
    """Signs the canonical query as AWS writes it, whatever form is sent (s3fs-fuse)."""

    def canonical_query_string(self, _request: Any) -> str:
        return "delimiter=%2F&list-type=2&prefix=a%20~b%2F"


@pytest.mark.parametrize("sent", ["prefix=a+~b/&delimiter=/&list-type=2",
                                  "list-type=2&prefix=a%20%7eb%2f&delimiter=%2f",
                                  "delimiter=%2F&list-type=2&prefix=a%20~b%2F"])  # fmt: skip
def test_a_query_is_compared_as_aws_writes_it(dispatcher: Dispatcher, sent: str) -> None:
    request = signed(
        keys(dispatcher), method="GET", url=f"{URL}nobucket?{sent}", body=b"", headers={},
        signer=_CanonicalForm, service="s3",
    )  # fmt: skip
    assert code(dispatcher.handle(request)) == "NoSuchBucket"


def test_a_query_with_other_content_is_another(dispatcher: Dispatcher) -> None:
    request = signed(
        keys(dispatcher), method="GET", url=f"{URL}nobucket?prefix=a%2Fb", body=b"", headers={},
        signer=S3SigV4Auth, service="s3",
    )  # fmt: skip
    same = ("prefix=a/b", "prefix=%61%2Fb", "prefix=a%2fb")
    assert {code(dispatcher.handle(replace(request, query=q))) for q in same} == {"NoSuchBucket"}
    for other in ("prefix=a%252Fb", "prefix=a+b", "prefix=a/b&x=y", "prefix=a/B", "Prefix=a/b"):
        refused = code(dispatcher.handle(replace(request, query=other)))
        assert refused == "SignatureDoesNotMatch", other


HEADS = {
    "host of a bracket": {"host": "["},
    "year 0": {"x-amz-date": "00000000T000000Z"},
    "year 1": {"x-amz-date": "00010101T000000Z"},
    "year 9999": {"x-amz-date": "99991231T235959Z"},
    "other digits": {"x-amz-date": "٢٠٢٦١١٢٨T000000Z"},
    "token": {"x-amz-security-token": "ÿ"},
    "length": {"content-length": "9" * 5000},
}


@pytest.mark.parametrize("change", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("service", ["kms", "s3", "iam", "ec2"])
def test_odd_heads_are_refused(dispatcher: Dispatcher, change: Any, service: str) -> None:
    request = signed(keys(dispatcher), service=service)
    text = request.headers["authorization"]
    date = change.get("x-amz-date", "")[:8] or request.headers["x-amz-date"][:8]
    parts = text.split("/")
    headers = {**request.headers, **change, "authorization": "/".join([parts[0], date, *parts[2:]])}
    if "x-amz-security-token" in change:
        headers["authorization"] = headers["authorization"].replace(
            "SignedHeaders=", "SignedHeaders=x-amz-security-token;"
        )
    answer = dispatcher.handle(replace(request, headers=headers))
    # A length is no part of what was signed: whoever reads the body reads it.
    assert 400 <= answer.status < 500 or change == HEADS["length"]


QUERY = {
    "signature": {"X-Amz-Signature": "ÿ" * 64},
    "no signature": {"X-Amz-Signature": ""},
    "year 1": {"X-Amz-Date": "00010101T000000Z"},
    "year 9999": {"X-Amz-Date": "99991231T235959Z", "X-Amz-Expires": "604800"},
    "expires": {"X-Amz-Expires": "٦٠"},
    "many digits": {"X-Amz-Expires": "9" * 5000},
    "not UTF-8": {"X-Amz-Credential": b"\xff\xfe"},
    "half a pair": {"X-Amz-Credential": b"\xed\xa0\x80"},
}


@pytest.mark.parametrize("change", QUERY.values(), ids=QUERY)
@pytest.mark.parametrize("service", ["s3", "sts"])
def test_odd_presigned_urls_are_refused(
    dispatcher: Dispatcher, change: dict[str, Any], service: str
) -> None:
    request = signed(
        keys(dispatcher), method="GET", url=f"{URL}nobucket/key", body=b"", headers={},
        signer=S3SigV4QueryAuth, service=service, expires=60,
    )  # fmt: skip
    fields: dict[str, Any] = {**dict(parse_qsl(request.query)), **change}
    date = change.get("X-Amz-Date", "")[:8]
    if date:
        parts = fields["X-Amz-Credential"].split("/")
        fields["X-Amz-Credential"] = "/".join([parts[0], date, *parts[2:]])
    answer = dispatcher.handle(replace(request, query=urlencode(fields)))
    assert 400 <= answer.status < 500
