"""What the cloud recorded of a request: its decision, why, and the PCRs that it saw.

On AWS the record comes minutes later and says no reason; the local cloud's is there at once and
adds its explanation under ``additionalEventData.nitroWorkflow`` (a key that AWS has not).
"""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import UntrustedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nitro_workflow.cloud import Patience
    from nitro_workflow.lab.workbench import Workbench

__all__ = [
    "decision",
    "decrypts_of_key",
    "document_digest",
    "explanation",
    "find_event",
    "find_in",
    "newest_decision",
    "newest_records",
    "recipient_module",
    "recipient_pcrs",
]

MOST: Final = 1000
"""Records that a search looks through, the newest first: other requests may have come since."""
WINDOW: Final = timedelta(days=90)
"""How far back LookupEvents goes (CloudTrail API Reference)."""

_RECIPIENT: Final = {
    0: "attestationDocumentEnclaveImageDigest",
    **{index: f"attestationDocumentEnclavePCR{index}" for index in (1, 2, 3, 4, 8)},
}


def find_event(
    bench: Workbench,
    operation: str,
    wanted: Callable[[Mapping[str, Any]], bool],
    *,
    party: str = "owner",
) -> dict[str, Any]:
    """Return the newest record that is ``wanted``; raises `UntrustedAnswer` when none comes.

    IAM: cloudtrail:LookupEvents of the party.
    """
    trail = bench.parties.session(party).client("cloudtrail")
    return find_in(trail, operation, wanted, bench.cloud.trail)


def find_in(
    trail: Any,
    operation: str,
    wanted: Callable[[Mapping[str, Any]], bool],
    patience: Patience,
) -> dict[str, Any]:
    """Return the newest record that is ``wanted`` in what a CloudTrail client may see."""
    deadline = time.monotonic() + patience.seconds
    while True:
        for event in _recent(trail, operation, patience.pause):
            if wanted(event):
                return event
        if time.monotonic() > deadline:
            raise UntrustedAnswer(
                f"the cloud has no record of that {operation}",
                expected="a record of every request, with its decision",
                where="cloudtrail:LookupEvents",
                next="run step D2 again; `nitro-workflow events` lists what the cloud recorded",
            )
        time.sleep(patience.pause)


def _recent(trail: Any, operation: str, pause: float) -> Iterator[dict[str, Any]]:
    """Yield the newest records of an operation, page after page, ``pause`` seconds apart."""
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": operation}],
        StartTime=datetime.now(UTC) - WINDOW,
        PaginationConfig={"MaxItems": MOST},
    )
    for number, page in enumerate(pages):
        time.sleep(pause if number else 0.0)
        for event in page["Events"]:
            yield dict(json.loads(event["CloudTrailEvent"]))


def document_digest(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of the request's attestation document; "" for none."""
    seen = _additional(event).get("attestation") or {}
    if digest := seen.get("document_sha256"):
        return str(digest)
    recipient = (event.get("requestParameters") or {}).get("recipient") or {}
    document = recipient.get("attestationDocument") or {}
    return str(document.get("sha256", "")) if isinstance(document, dict) else ""


def recipient_pcrs(event: Mapping[str, Any]) -> dict[int, str]:
    """Return index → hex of the PCRs that KMS saw; the record holds base64 of the 48 bytes."""
    recipient = _additional(event).get("recipient") or {}
    return {
        index: base64.b64decode(recipient[name]).hex()
        for index, name in _RECIPIENT.items()
        if recipient.get(name)
    }


def recipient_module(event: Mapping[str, Any]) -> str:
    """Return the module id of the document that KMS saw; "" where the record holds none."""
    recipient = _additional(event).get("recipient") or {}
    return str(recipient.get("attestationDocumentModuleId") or "")


def decrypts_of_key(
    trail: Any, key_arn: str, since: datetime, pause: float
) -> Iterator[dict[str, Any]]:
    """Yield the records of a key's Decrypts since then, newest first, page after page.

    ``pause``: seconds between pages, since CloudTrail takes two questions a second.
    """
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key_arn}],
        StartTime=since,
    )
    for number, page in enumerate(pages):
        time.sleep(pause if number else 0.0)
        for one in page["Events"]:
            if one.get("EventName") == "Decrypt":
                yield dict(json.loads(one["CloudTrailEvent"]))


def explanation(event: Mapping[str, Any]) -> str:
    """Return the reason of the decision, in words; "" where the record holds none."""
    extra = _additional(event)
    attestation = extra.get("attestation") or {}
    if attestation.get("verified") is False:
        found = attestation.get("found", "")
        return f"document refused at its check {attestation.get('failed', '?')}: {found}"
    decision = extra.get("nitroWorkflow") or {}
    return str(decision.get("explanation") or decision.get("summary") or "")


def newest_records(bench: Workbench, count: int) -> list[dict[str, Any]]:
    """Return up to ``count`` records of the owner's account, newest first, of any operation.

    IAM: cloudtrail:LookupEvents of the owner.
    """
    trail = bench.parties.session("owner").client("cloudtrail")
    found: list[dict[str, Any]] = []
    for page in trail.get_paginator("lookup_events").paginate():
        found += [json.loads(event["CloudTrailEvent"]) for event in page["Events"]]
        if len(found) >= count:
            break
        time.sleep(bench.cloud.trail.pause)
    return found[:count]


def newest_decision(bench: Workbench, operation: str, *, party: str = "owner") -> dict[str, Any]:
    """Return the policy engine's record of the newest request for an operation.

    A request whose document was refused before any policy was asked has none, nor has one to STS:
    {"summary": …, "refused": bool}. How the lab itself takes its parties' roles is passed over.
    Raises `UntrustedAnswer` where no request was recorded.
    """

    def wanted(event: Mapping[str, Any]) -> bool:
        return bool(explanation(event)) and not _signs_in(event)

    event = find_event(bench, operation, wanted, party=party)
    told = {"summary": explanation(event), "refused": bool(event.get("errorCode"))}
    return dict(decision(event).get("record") or told)


def _signs_in(event: Mapping[str, Any]) -> bool:
    """Tell whether the operator became a party: so begins every call of the lab, this one too."""
    user = (event.get("userIdentity") or {}).get("type") == "IAMUser"
    return user and event.get("eventName") == "AssumeRole" and not event.get("errorCode")


def decision(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decision as the local cloud recorded it; {} where it is AWS's."""
    return dict(_additional(event).get("nitroWorkflow") or {})


def _additional(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return event.get("additionalEventData") or {}
