"""Who makes a request: the claim of its signature, held against what this cloud knows.

In two steps, so that a stranger's body is not taken: `identify` needs the head alone, `prove` what
was signed (for all services but S3 the body too).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime

from nitro_workflow.cloud.local.auth.identities import find_access_key
from nitro_workflow.cloud.local.auth.session_tokens import open_session
from nitro_workflow.cloud.local.auth.sigv4 import (
    Claim,
    SignatureFault,
    check_signature,
    check_time,
)
from nitro_workflow.cloud.local.call import ANONYMOUS, Caller, ServiceFault
from nitro_workflow.cloud.local.protocol import RawRequest
from nitro_workflow.cloud.local.store import Store, Vault

__all__ = ["Claimed", "fault_of", "identify", "prove"]

_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who a request says it is from: a key that is known and a time that is now; not yet proven.

    `secret` checks the signature, and the chunks of a streamed body.
    """

    caller: Caller
    claim: Claim | None = None
    secret: str = field(default="", repr=False)
    expires: datetime | None = None


def identify(
    store: Store, vault: Vault, claim: Claim | None, *, service: str, now: datetime
) -> Claimed:
    """Look up whose key a claim names; `claim` is what `read_claim` found in a request's head.

    An unsigned request is anonymous where the service serves such (S3), and refused elsewhere.

    Raises `SignatureFault`: with the kind that `fault_of` puts into the service's words.
    """
    if claim is None:
        if service != "s3":
            raise SignatureFault("missing", "Missing Authentication Token")
        return Claimed(ANONYMOUS)
    claimed = (_of_session if claim.token else _of_key)(store, vault, claim)
    check_time(claim, now)
    return claimed


def _of_key(store: Store, vault: Vault, claim: Claim) -> Claimed:
    key_id = claim.access_key_id
    known = store.cached(("access key", key_id), lambda db: _holder(db, key_id), weigh=_weigh)
    if known is None:
        raise SignatureFault("unknown_key", _INVALID_TOKEN)
    caller, sealed = known
    return Claimed(caller, claim, vault.open(sealed, f"iam/{key_id}").decode())


def _weigh(holder: tuple[Caller, bytes] | None) -> int:
    """Return how many characters of tags are remembered with a key."""
    return sum(len(name) + len(value) for name, value in holder[0].tags.items()) if holder else 0


def _of_session(store: Store, vault: Vault, claim: Claim) -> Claimed:
    session = open_session(vault, store, claim.token)
    if session is None or session.access_key_id != claim.access_key_id:
        raise SignatureFault("bad_token", _INVALID_TOKEN)
    return Claimed(session.caller, claim, session.secret_access_key, session.expires)


def prove(claimed: Claimed, request: RawRequest, now: datetime) -> None:
    """Verify the signature: over the head, and over the body unless the service is S3.

    Raises `SignatureFault`: as `identify`.
    """
    if claimed.claim is None:
        return
    digest = hashlib.sha256(request.body).hexdigest()
    check_signature(claimed.claim, request, claimed.secret, digest)
    if claimed.expires is not None and now >= claimed.expires:
        raise SignatureFault(
            "expired_token", "The security token included in the request is expired"
        )


def _holder(db: sqlite3.Connection, key_id: str) -> tuple[Caller, bytes] | None:
    """Return who holds an active access key, and its sealed secret."""
    key = find_access_key(db, key_id)
    if key is None or key.status != "Active":
        return None
    if not key.principal.startswith("arn:"):
        return _service_caller(key.principal, key.id), key.secret
    row = db.execute("SELECT * FROM entities WHERE arn = ?", (key.principal,)).fetchone()
    if row is None:
        return None
    caller = Caller(
        account=row["account"],
        arn=row["arn"],
        kind="user",
        principal_id=row["id"],
        name=row["name"],
        entity_arn=row["arn"],
        access_key_id=key.id,
        tags={tag["Key"]: tag["Value"] for tag in json.loads(row["tags"])},
    )
    return caller, key.secret


def _service_caller(name: str, key_id: str) -> Caller:
    return Caller(
        account="", arn=name, kind="service", principal_id=name, name=name, access_key_id=key_id
    )


# kind -> protocol -> (code, HTTP status). Sources: "Common Errors" of the KMS, IAM and EC2 API
# references; "Error Responses" of the Amazon S3 API Reference.
_WORDS: dict[str, dict[str, tuple[str, int]]] = {
    "missing": {
        "json": ("MissingAuthenticationTokenException", 400),
        "query": ("MissingAuthenticationToken", 403),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("AccessDenied", 403),
    },
    "incomplete": {
        "json": ("IncompleteSignatureException", 400),
        "query": ("IncompleteSignature", 400),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("AuthorizationHeaderMalformed", 400),
    },
    "incomplete_query": {
        "json": ("IncompleteSignatureException", 400),
        "query": ("IncompleteSignature", 400),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("AuthorizationQueryParametersError", 400),
    },
    "version": {
        "json": ("IncompleteSignatureException", 400),
        "query": ("IncompleteSignature", 400),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("InvalidRequest", 400),
    },
    "two": {
        "json": ("InvalidSignatureException", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("InvalidArgument", 400),
    },
    "unknown_key": {
        "json": ("UnrecognizedClientException", 400),
        "query": ("InvalidClientTokenId", 403),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("InvalidAccessKeyId", 403),
    },
    "bad_token": {
        "json": ("UnrecognizedClientException", 400),
        "query": ("InvalidClientTokenId", 403),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("InvalidToken", 400),
    },
    "bad_signature": {
        "json": ("InvalidSignatureException", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("SignatureDoesNotMatch", 403),
    },
    "skewed": {
        "json": ("InvalidSignatureException", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("RequestExpired", 400),
        "rest-xml": ("RequestTimeTooSkewed", 403),
    },
    "expired_request": {
        "json": ("InvalidSignatureException", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("RequestExpired", 400),
        "rest-xml": ("AccessDenied", 403),
    },
    "expired_token": {
        "json": ("ExpiredTokenException", 400),
        "query": ("ExpiredToken", 403),
        "ec2": ("RequestExpired", 400),
        "rest-xml": ("ExpiredToken", 400),
    },
    "region": {
        "json": ("InvalidSignatureException", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "rest-xml": ("AuthorizationHeaderMalformed", 400),
    },
}


def fault_of(fault: SignatureFault, protocol: str) -> ServiceFault:
    """Return the fault in the words of the service's protocol."""
    code, status = _WORDS[fault.kind][protocol]
    return ServiceFault(code, fault.message, status)
