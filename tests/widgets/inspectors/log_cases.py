"""Records as the local cloud writes them, and as AWS does."""

from __future__ import annotations

import base64
import json

from nitro_workflow.policy import explain
from tests.widgets.inspectors.policy_cases import KEY, OTHER, ROLE, policies, request

SESSION = "arn:aws:sts::444455556666:assumed-role/ParentInstance/i-0abc"
SAID = f"User: {SESSION} is not authorized to perform: kms:Decrypt on resource: {KEY} with an explicit deny"


def record(minute=0, *, name="Decrypt", refused=True, explained=True, pcrs=OTHER, **more):
    event = {
        "eventTime": f"2026-11-28T10:{minute:02d}:00Z", "eventSource": "kms.amazonaws.com",
        "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1",
        "userIdentity": {"type": "AssumedRole", "arn": SESSION, "accountId": "444455556666",
                         "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}}},
        "requestParameters": {"encryptionContext": {"dataset": "customers", "version": "1"}},
        "resources": [{"ARN": KEY, "accountId": "111122223333"}],
        "additionalEventData": {"recipient": {
            "attestationDocumentEnclaveImageDigest": base64.b64encode(bytes.fromhex(pcrs["PCR0"])).decode(),
            **{f"attestationDocumentEnclave{key}": base64.b64encode(bytes.fromhex(value)).decode()
               for key, value in pcrs.items() if key != "PCR0"}}},
    }  # fmt: skip
    if refused:
        event |= {"errorCode": "AccessDenied", "errorMessage": SAID}
    if explained:
        found = explain(request(pcrs), policies())
        event["additionalEventData"]["nitroWorkflow"] = {
            "decision": found.decision.effect, "summary": found.summary, "explanation": "in words",
            "record": json.loads(json.dumps(found.to_json())), "decisions": 1,
        }  # fmt: skip
    return {**event, **more}
