"""What is really asked of a practice key: with another policy, by a thief, by two enclaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.lab import Lab, PracticeKey, instance_session

__all__ = ["CONTEXT", "OTHER", "OURS", "Asked", "Tries", "ask_as_role", "ask_key", "put_refused"]

OURS, OTHER = "practice.eif", "practice-before.eif"
CONTEXT: Final = {"dataset": "practice", "version": "1"}
"""The encryption context of a practice key's data key."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came back: the lengths of what was answered, or the refusal's code and words."""

    clear: int = 0
    sealed: int = 0
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Tries:
    """Who has the data key of a practice key, each by asking KMS."""

    ours: bool
    other: bool
    outside: Asked

    @property
    def open(self) -> bool:
        """Tell whether one of the two attacks works."""
        return self.other or bool(self.outside.clear)


def put_refused(key: PracticeKey, policy: Any) -> str:
    """Put a policy; return KMS's refusal in words, "" where it takes it."""
    from botocore.exceptions import ClientError

    try:
        key.put(policy)
    except ClientError as error:
        return f"{error_code(error)}: {error.response['Error'].get('Message', '')}"
    return ""


def ask_as_role(lab: Lab, request: Mapping[str, Any]) -> Asked:
    """Call Decrypt with the instance role's credentials, from outside any enclave."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = instance_session(lab.bench).client("kms").decrypt(**request)
    except ClientError as error:
        return Asked(code=error_code(error), message=error.response["Error"].get("Message", ""))
    except BotoCoreError as error:
        return Asked(code=type(error).__name__, message=str(error))
    sealed = answer.get("CiphertextForRecipient") or b""
    return Asked(len(answer.get("Plaintext") or b""), len(sealed))


def ask_key(lab: Lab, key: PracticeKey) -> Tries:
    """Have two enclaves ask for a practice key's data key, and whoever has the role."""
    request = {
        "KeyId": key.arn,
        "CiphertextBlob": key.data_key,
        "EncryptionContext": CONTEXT,
    }
    return Tries(key.ask(OURS).has_key, key.ask(OTHER).has_key, ask_as_role(lab, request))
