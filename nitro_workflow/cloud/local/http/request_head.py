"""What the head of a request says: the request, what is wrong with it, how its body comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.auth import UNSIGNED, signing_key
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.catalogue import guess_service
from nitro_workflow.cloud.local.dispatch import Arrival
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder, ChunkSigner
from nitro_workflow.cloud.local.http.incoming import Incoming
from nitro_workflow.cloud.local.http.intake_plan import IntakePlan
from nitro_workflow.cloud.local.protocol import RawRequest

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["body_plan", "check_head", "raw_request"]


def raw_request(scope: Scope) -> RawRequest:
    """Return the request of an ASGI scope, its body still to come."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client") or ("", 0)
    return RawRequest(
        method=scope["method"],
        path=scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        secure=scope["scheme"] == "https",
        source_ip=client[0],
    )


def check_head(request: RawRequest, body: Incoming) -> None:
    """Refuse what is too large by what its head says, before anybody is known.

    (To decode thousands of fields, or to sign thousands of headers, would keep all others waiting.)
    """
    if len(request.headers) > budgets.FIELDS:
        raise ServiceFault("RequestHeaderSectionTooLarge", "The request has too many headers.", 400)
    if request.query.count("&") >= budgets.FIELDS:
        raise ServiceFault("MalformedQueryString", "The query has too many fields.", 400)
    is_object = guess_service(request) == "s3"
    body.size(budgets.OBJECT_BYTES if is_object else budgets.CALL_BYTES)


def body_plan(arrival: Arrival, request: RawRequest, limit: int) -> IntakePlan:
    """Return how an S3 request's body comes, and what it is held against.

    Raises as `IntakePlan.of`.
    """
    headers, claim = request.headers, arrival.who.claim
    payload = claim.payload if claim else ""
    # What was signed says how the body comes; Content-Encoding need not be signed.
    chunked = payload.startswith("STREAMING") or (
        payload in ("", UNSIGNED) and "aws-chunked" in headers.get("content-encoding", "")
    )
    signer = None
    if claim is not None and payload.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        key = signing_key(claim, arrival.who.secret)
        trailer = payload.endswith("-TRAILER")
        signer = ChunkSigner(key, claim.timestamp, claim.scope, claim.signature, trailer)
    return IntakePlan.of(
        headers,
        payload=payload,
        decoder=ChunkDecoder(signer) if chunked else None,
        limit=limit,
        checksummed=arrival.operation != "CompleteMultipartUpload",
    )
