"""Decision records: one CloudTrail-shaped event an API call, with the reason of the decision.

Secrets are not in them: sensitive members and blobs are replaced.

Source: AWS CloudTrail User Guide, "CloudTrail record contents"; AWS KMS Developer Guide,
"Monitoring Nitro enclaves requests" (``additionalEventData.recipient``).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nitro_workflow.cloud.accounts import REGION
from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import Call, Caller, ServiceFault
from nitro_workflow.cloud.local.protocol import write_time

__all__ = ["make_event", "redact"]

_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# CloudTrail User Guide, "Global service events": recorded in US East (N. Virginia).
_GLOBAL = frozenset({"iam"})
# Characters; CloudTrail User Guide, "CloudTrail record contents": 1 KB of errorMessage.
_MESSAGE = 1024
_ARN = 2048  # characters; IAM API Reference, arnType: the longest there is
_READ_VERBS = ("Get", "List", "Describe", "Head", "Lookup")
# CloudTrail's own table for KMS: these change nothing that is kept.
_READ_NAMES = frozenset(
    {
        "AssumeRole", "Decrypt", "DeriveSharedSecret", "Encrypt", "GenerateDataKey",
        "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom", "ReEncrypt", "Sign",
        "Verify", "VerifyMac",
    }
)  # fmt: skip


def make_event(
    call: Call, shape: Any, fault: ServiceFault | None, *, brief: bool = False
) -> Mapping[str, Any]:
    """Return the record of a finished call; `shape` is its input shape, which says what to hide.

    `brief` leaves the explanation out: so many records wait that reasons would take too long.
    """
    # What was refused before it was read has no name of the model's.
    trail, name, refusal = call.trail, call.operation or "Unread", fault or _all_refused(call)
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(call.caller),
        "eventTime": write_time(call.now, "iso8601"),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION if call.service in _GLOBAL else call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
        "requestParameters": _parameters(shape, call, refused=refusal is not None),
        "responseElements": None,
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": name.startswith(_READ_VERBS) or name in _READ_NAMES,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
    }
    if refusal is not None:
        event |= {"errorCode": refusal.code, "errorMessage": refusal.message[:_MESSAGE]}
    if trail.resources:
        event["resources"] = list(_resources(trail.resources))
    event["additionalEventData"] = _additional(call, brief)
    return event


def _resources(named: Sequence[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """Yield each resource once, as many as a record has room for."""
    unique = {item["ARN"][:_ARN]: item["accountId"] for item in named}
    room = budgets.RECORD_NAMES_BYTES
    for arn, account in list(unique.items())[: budgets.RECORD_RESOURCES]:
        room -= len(json.dumps(arn))
        if room >= 0:
            yield {"ARN": arn, "accountId": account}


def _all_refused(call: Call) -> ServiceFault | None:
    """Return what a call was refused for that answers 200 nevertheless: DeleteObjects, each key."""
    decided = [decision.record["decision"] for decision in call.trail.decisions]
    if not decided or "allowed" in decided:
        return None
    return ServiceFault("AccessDenied", f"Of {len(decided)} decisions none allowed anything.", 403)


def _additional(call: Call, brief: bool) -> dict[str, Any]:
    trail = call.trail
    data: dict[str, Any] = dict(trail.extra)
    if trail.recipient:
        data["recipient"] = trail.recipient
    if trail.decisions:
        # The refusal, where there is one, is the decision that ended the call.
        decided = next((d for d in trail.decisions if d.record["decision"] != "allowed"), None)
        first = decided or trail.decisions[0]
        reason = {"summary": "not explained: too many calls"} if brief else first.explain()
        data["nitroWorkflow"] = {**first.record, **reason, "decisions": len(trail.decisions)}
    return data


def _identity(caller: Caller) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.kind == "user":
        return {"type": "IAMUser", **identity, "userName": caller.name}
    if caller.kind == "role":
        issuer = {
            "type": "Role",
            "principalId": caller.principal_id.partition(":")[0],
            "arn": caller.entity_arn,
            "accountId": caller.account,
            "userName": caller.name,
        }
        return {"type": "AssumedRole", **identity, "sessionContext": {"sessionIssuer": issuer}}
    if caller.kind == "service":
        return {"type": "AWSService", "invokedBy": caller.name}
    if caller.kind == "unproven":
        key = caller.access_key_id
        return {"type": "Unknown", "accountId": caller.account, "accessKeyId": key}
    return {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}


def _parameters(shape: Any, call: Call, *, refused: bool) -> Any:
    if call.trail.omitted:
        return {"omitted": True, "originalSize": call.trail.omitted}
    try:
        shown = redact(shape, call.params) if shape is not None else None
        size = len(json.dumps(shown)) if refused else 0
    except Exception as error:  # noqa: BLE001 - what a caller sends must not keep it out of the log
        return {"notShown": type(error).__name__}
    if size > budgets.REFUSED_PARAMETER_BYTES:
        return {"omitted": True, "originalSize": size}
    return shown


def redact(shape: Any, value: Any) -> Any:
    """Return parameters as CloudTrail shows them: first letters lower, secrets and blobs replaced.

    A blob becomes its size and SHA-256, unless its shape is sensitive: then nothing is said.
    """
    if shape.metadata.get("sensitive"):
        return _HIDDEN
    kind = shape.type_name
    if kind == "structure":
        return {
            name[0].lower() + name[1:]: redact(shape.members[name], item)
            for name, item in value.items()
            if name in shape.members
        }
    if kind == "list":
        return [redact(shape.member, item) for item in value]
    if kind == "map":
        return {key: redact(shape.value, item) for key, item in value.items()}
    if kind == "blob":
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return write_time(value, "iso8601") if kind == "timestamp" else value
