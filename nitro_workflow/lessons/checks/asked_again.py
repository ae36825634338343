"""The enclave's Decrypt once more, by whoever has the instance's role: KMS's own answer."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nitro_workflow.attestation import Expected, Verifier
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.lab import Lab, instance_session, request_of

__all__ = ["Answered", "ask_again", "finished_recipient", "is_fresh"]

ALGORITHM: Final = "RSAES_OAEP_SHA_256"
YOUNG: Final = timedelta(minutes=4)
"""The lab's KMS takes a document for five minutes; a learner needs one of them."""


@dataclass(frozen=True, slots=True)
class Answered:
    """KMS's answer, or the code and the words of its refusal."""

    answer: Mapping[str, Any]
    code: str = ""
    message: str = ""


def ask_again(
    lab: Lab, recipient: Any, *, on_the_way: Callable[..., None] | None = None
) -> Answered:
    """Send the enclave's kept Decrypt as the instance's role, with another Recipient.

    ``on_the_way`` gets the signed request before it is sent. What boto3 refuses to send is told as
    KMS's refusal is.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    asked = json.loads(request_of(lab.bench).partition(b"\r\n\r\n")[2])
    kms = instance_session(lab.bench).client("kms")
    if on_the_way is not None:
        kms.meta.events.register("before-send.kms.Decrypt", on_the_way)
    try:
        answer = kms.decrypt(
            KeyId=asked["KeyId"],
            CiphertextBlob=b64decode(asked["CiphertextBlob"]),
            EncryptionContext=asked["EncryptionContext"],
            Recipient=recipient,
        )
    except ClientError as error:
        told = error.response.get("Error", {})
        return Answered({}, str(told.get("Code", "")), str(told.get("Message", "")))
    except BotoCoreError as error:
        return Answered({}, type(error).__name__, str(error))
    return Answered(answer)


def finished_recipient(document: bytes) -> dict[str, Any]:
    """Return the Recipient of a document."""
    return {"KeyEncryptionAlgorithm": ALGORITHM, "AttestationDocument": document}


def is_fresh(lab: Lab, recipient: Any) -> bool:
    """Tell whether KMS would take a Recipient now: its form, its document's chain and age."""
    document = recipient.get("AttestationDocument") if isinstance(recipient, Mapping) else None
    if not isinstance(document, bytes) or recipient != finished_recipient(document):
        return False
    verifier = Verifier.local(lab.bench.cloud.trust().root_der)
    try:
        verifier.verify(document, at=datetime.now(UTC), expected=Expected(max_age=YOUNG))
    except NitroWorkflowError:
        return False
    return True
