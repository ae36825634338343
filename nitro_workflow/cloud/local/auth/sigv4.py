"""Signature Version 4: what a request claims, and whether its signature holds.

What is signed is recomputed with botocore's own signers, over exactly the headers that the request
says it signed: what the client's SDK computed is what is compared. Path and query are compared as
they were sent, and as AWS writes them: decoded and encoded again (s3fs-fuse sends ``/`` and signs
``%2F``). Both forms say the same bytes, so that a signature never covers another request.

Source: AWS General Reference, "Signature Version 4 signing process"; Amazon S3 API Reference,
"Authenticating Requests".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from nitro_workflow.cloud.local.protocol import RawRequest, regions

__all__ = [
    "UNSIGNED",
    "Claim",
    "SignatureFault",
    "check_signature",
    "check_time",
    "read_claim",
    "signing_key",
]

_ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
# AWS General Reference: five minutes; S3: fifteen (RequestTimeTooSkewed).
_SKEW = {"s3": timedelta(minutes=15)}
_DEFAULT_SKEW = timedelta(minutes=5)
_QUERY_NAMES = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
)
_MAX_PRESIGN_S = 604_800  # S3: seven days
# What an access key's id looks like (IAM API Reference, AccessKey); what does not is no one's.
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_EXPIRES = re.compile(r"\d{1,6}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})\s*$",
    re.ASCII,
)


class SignatureFault(Exception):
    """Why a request is not authenticated; `kind` is translated into each service's own words."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(kind, message)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the request says about its signature; nothing here is believed yet."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    at: datetime
    token: str
    expires_s: int | None
    payload: str

    @property
    def presigned(self) -> bool:
        """Whether the signature stands in the query."""
        return self.expires_s is not None

    @property
    def scope(self) -> str:
        """The credential scope: ``20261125/us-east-1/kms/aws4_request``."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_claim(request: RawRequest) -> Claim | None:
    """Return the request's claim, or None where it carries no signature.

    Raises `SignatureFault`: a signature that is not complete.
    """
    text = request.headers.get("authorization")
    # A URL that a shell cut at its first "&" has the algorithm alone.
    if {"X-Amz-Algorithm", "X-Amz-Signature"} & request.query_values.keys():
        if text is not None:
            raise SignatureFault(
                "two",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                "Signature query string parameter or the Authorization header should be specified",
            )
        return _from_query(request)
    if (text or "").startswith("AWS ") or {
        "AWSAccessKeyId",
        "Signature",
    } <= request.query_values.keys():
        # Signature Version 2: boto3 still presigns so unless it is told s3v4.
        raise SignatureFault(
            "version",
            "The authorization mechanism you have provided is not supported. Please use "
            f"{_ALGORITHM}.",
        )
    if text is None:
        return None
    match = _AUTHORIZATION.match(text)
    if match is None:
        raise SignatureFault("incomplete", "The Authorization header is not a complete SigV4 one.")
    return _claim(
        match["credential"],
        match["headers"],
        match["signature"],
        timestamp=request.headers.get("x-amz-date", ""),
        token=request.headers.get("x-amz-security-token", ""),
        expires_s=None,
        payload=request.headers.get("x-amz-content-sha256", ""),
    )


def _from_query(request: RawRequest) -> Claim:
    try:
        return _presigned(request)
    except SignatureFault as fault:
        # S3 tells a query that is not complete from a header that is not.
        kind = "incomplete_query" if fault.kind == "incomplete" else fault.kind
        raise SignatureFault(kind, fault.message) from None


def _presigned(request: RawRequest) -> Claim:
    query = request.query_values
    if not query.keys() >= _QUERY_NAMES:
        raise SignatureFault(
            "incomplete",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters.",
        )
    if query["X-Amz-Algorithm"] != _ALGORITHM:
        raise SignatureFault("incomplete", f"X-Amz-Algorithm only supports {_ALGORITHM}.")
    expires = query["X-Amz-Expires"]
    if not _EXPIRES.fullmatch(expires) or not 0 < int(expires) <= _MAX_PRESIGN_S:
        raise SignatureFault("incomplete", "X-Amz-Expires must be between 1 and 604800 seconds.")
    return _claim(
        query["X-Amz-Credential"],
        query["X-Amz-SignedHeaders"],
        query["X-Amz-Signature"],
        timestamp=query["X-Amz-Date"],
        token=query.get("X-Amz-Security-Token", ""),
        expires_s=int(expires),
        payload=request.headers.get("x-amz-content-sha256", ""),
    )


def _claim(credential: str, headers: str, signature: str, **further: Any) -> Claim:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise SignatureFault("incomplete", "The credential scope has not five parts.")
    if not _SIGNATURE.fullmatch(signature):
        raise SignatureFault("incomplete", "The signature is not 64 hexadecimal digits.")
    if not _KEY_ID.fullmatch(parts[0]):
        raise SignatureFault(
            "unknown_key", "The security token included in the request is invalid."
        )
    # Quotas are of a region: who could invent regions would have none.
    if parts[2] not in regions():
        raise SignatureFault("region", "Credential should be scoped to a valid region.")
    timestamp = further.pop("timestamp")
    at = _moment(timestamp)
    if timestamp[:8] != parts[1]:
        raise SignatureFault("incomplete", "The date of the credential scope is not X-Amz-Date's.")
    names = tuple(headers.split(";"))
    claim = Claim(*_four(parts), names, signature, timestamp, at, **further)
    if "host" not in claim.signed_headers:
        raise SignatureFault("incomplete", "'host' must be a signed header.")
    return claim


def _four(parts: Sequence[str]) -> tuple[str, str, str, str]:
    key_id, date, region, service, _ = parts
    return key_id, date, region, service


def _moment(text: str) -> datetime:
    """Return the time of ``20261125T010203Z``; `strptime` would take longer than the signature."""
    if not _TIMESTAMP.fullmatch(text):
        raise SignatureFault("incomplete", "X-Amz-Date is missing or no time.")
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    hour, minute, second = int(text[9:11]), int(text[11:13]), int(text[13:15])
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise SignatureFault("incomplete", "X-Amz-Date is not a time.") from None


def check_time(claim: Claim, now: datetime) -> None:
    """Check that the request was signed about now, or is inside its presigned life.

    Raises `SignatureFault`: too early, too late, or expired.
    """
    skew = _SKEW.get(claim.service, _DEFAULT_SKEW)
    if claim.expires_s is not None:
        # Differences, never sums: the claim's time may be the first or the last there is.
        if now - claim.at > timedelta(seconds=claim.expires_s):
            raise SignatureFault("expired_request", "Request has expired")
        if claim.at - now > skew:
            raise SignatureFault("skewed", "The request is not valid yet.")
        return
    if abs(now - claim.at) <= skew:
        return
    minutes = int(skew.total_seconds() // 60)
    word, border = ("expired", now - skew) if now > claim.at else ("not yet current", now + skew)
    order = "earlier" if now > claim.at else "still later"
    raise SignatureFault(
        "skewed",
        f"Signature {word}: {claim.timestamp} is now {order} than "
        f"{border:%Y%m%dT%H%M%SZ} ({now:%Y%m%dT%H%M%SZ} {'-' if now > claim.at else '+'} "
        f"{minutes} min.)",
    )


@dataclass(frozen=True, slots=True)
class _Signable:
    """The part of ``botocore.awsrequest.AWSRequest`` that the signers read."""

    method: str
    url: str
    headers: Mapping[str, str]
    context: Mapping[str, str]
    params: None = None


def check_signature(claim: Claim, request: RawRequest, secret: str, body_sha256: str) -> None:
    """Recompute the signature and compare in constant time.

    `body_sha256` is the hex digest of the body received, used where the request states none.

    Raises `SignatureFault`: another signature, or an ``x-amz-`` header that is not signed.
    """
    signed = set(claim.signed_headers)
    loose = sorted(h for h in request.headers if h.startswith("x-amz-") and h not in signed)
    # S3 API Reference: "There were headers present in the request which were not signed".
    if set(loose) - ({"x-amz-content-sha256"} if claim.presigned else set()):
        raise SignatureFault("bad_signature", f"Headers were not signed: {', '.join(loose)}")
    if any(name not in request.headers for name in signed):
        raise SignatureFault("bad_signature", "A signed header is missing.")
    if not any(
        hmac.compare_digest(_recomputed(claim, form, secret, body_sha256), claim.signature)
        for form in _forms(request)
    ):
        raise SignatureFault(
            "bad_signature",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )


def _forms(request: RawRequest) -> Iterator[RawRequest]:
    """Yield the request as it was sent, then as AWS writes it where that differs."""
    yield request
    path = quote(unquote_to_bytes(request.path), safe="/-_.~")
    query = "&".join(_encoded(part) for part in request.query.split("&") if part)
    if (path, query) != (request.path, request.query):
        yield replace(request, path=path, query=query)


def _encoded(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{_uri_encoded(name)}={_uri_encoded(value)}"


def _uri_encoded(text: str) -> str:
    # A plus is a space in a query: so it is read (`RawRequest.query_pairs`), so it must be signed.
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="-_.~")


def _as_signed(text: str) -> str:
    """Return a header whose bytes in UTF-8 are those that came (its text is their Latin-1)."""
    try:
        return text if text.isascii() else text.encode("latin-1").decode()
    except UnicodeError:
        return text


class _Headers(dict[str, str]):
    """The signed headers, as botocore's signers read theirs."""

    def get_all(self, name: str) -> tuple[str]:
        """Return the values of a header; several of one name came joined by commas."""
        return (self[name],)


def _recomputed(claim: Claim, request: RawRequest, secret: str, body_sha256: str) -> str:
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.credentials import Credentials

    headers = _Headers((name, _as_signed(request.headers[name])) for name in claim.signed_headers)
    kind = S3SigV4Auth if claim.service == "s3" else SigV4Auth
    signer = kind(Credentials(claim.access_key_id, secret), claim.service, claim.region)
    signer.headers_to_sign = lambda _request: headers
    signable = _Signable(
        request.method,
        # The host that was signed stands among the headers; the one of the URL is not looked at.
        f"https://host{request.path}?{_unsigned_query(request)}",
        {"X-Amz-Content-SHA256": _payload(claim, body_sha256)},
        {"timestamp": claim.timestamp},
    )
    text = signer.string_to_sign(signable, signer.canonical_request(signable))
    return hmac.new(signing_key(claim, secret), text.encode(), hashlib.sha256).hexdigest()


def _payload(claim: Claim, body_sha256: str) -> str:
    """Return the payload's part of the canonical request.

    Only S3 signs a statement about a body that is still to come; elsewhere the digest of the body
    that came is what was signed, or the signature fails.
    """
    if claim.service != "s3":
        return body_sha256
    return claim.payload or (UNSIGNED if claim.presigned else body_sha256)


def _unsigned_query(request: RawRequest) -> str:
    parts = request.query.split("&")
    return "&".join(part for part in parts if not part.startswith("X-Amz-Signature="))


def signing_key(claim: Claim, secret: str) -> bytes:
    """Return the derived key that signs the request, and the chunks of a streamed body."""
    return _derived(secret, claim.date, claim.region, claim.service)


@lru_cache(maxsize=64)
def _derived(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
