"""What the cloud answers, in the package's own errors: a refusal is not a broken service."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import (
    AccessRefused,
    CloudUnavailable,
    NitroWorkflowError,
    Refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DENIED", "cloud_errors", "error_code", "recorded_error", "refusal"]

DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"}
)

NEXT: Final = {
    "AccessDeniedException": "`nitro-workflow events` shows the statement that decided",
    "InvalidCiphertextException": "decrypt with the encryption context that it was encrypted with",
    "NotFoundException": "run step P1: it makes the key where it is missing",
    "KMSInvalidStateException": "CancelKeyDeletion and EnableKey as its owner",
    "DisabledException": "EnableKey as its owner",
    "ValidationException": "`nitro-workflow events` shows what KMS found wrong",
    "SignatureDoesNotMatch": "sign with the secret key that belongs to this access key",
    "NoSuchKey": "run step P4: it uploads the ciphertext",
    "NoSuchBucket": "run step P4: it makes the bucket",
    "InsufficientInstanceCapacity": "no zone has this type now: try later, or make a new lab with "
    "another --instance-type or --subnet",
    "Unsupported": "this zone has no such type: make a new lab with another --instance-type",
    "VcpuLimitExceeded": "ask for more vCPUs in Service Quotas (L-1216C47A), then run it again",
    "RequestLimitExceeded": "the account asks too often: wait a minute, then run it again",
    "ThrottlingException": "the account asks too often: wait a minute, then run it again",
    "ExpiredToken": "log in again (`aws sso login`), then run it again: it goes on where it was",
    "ExpiredTokenException": "log in again (`aws sso login`), then run it again",
    "RequestExpired": "set this machine's clock, or log in again; then run it again",
    "UnauthorizedOperation": "`nitro-workflow events` shows what the cloud saw; on AWS "
    "`nitro-workflow aws check`, and your organization's service control policies",
}


@contextlib.contextmanager
def cloud_errors(where: str) -> Iterator[None]:
    """Turn botocore's errors, the Encryption SDK's and the cloud's, into the package's tree."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise refusal(error, where) from error
    except BotoCoreError as error:
        raise CloudUnavailable(
            str(error),
            expected="an answer from the lab's cloud",
            where=where,
            next="`nitro-workflow status`; any step starts a cloud that has gone",
        ) from error


def error_code(error: Any) -> str:
    """Return the code that the service gave in a botocore ``ClientError``."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def refusal(error: Any, where: str, explanation: str = "") -> NitroWorkflowError:
    """Return the package's error for a botocore ``ClientError``."""
    answer = error.response.get("Error", {})
    code = error_code(error)
    text = str(answer.get("Message") or code)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    step = NEXT.get(code) or NEXT.get(
        f"{code}Exception", "`nitro-workflow events` shows what the cloud saw"
    )
    if code in DENIED:
        return AccessRefused(
            text,
            expected="a request that the policies allow",
            where=where,
            next=step,
            code=code,
            explanation=explanation,
        )
    if status >= 500:
        return CloudUnavailable(text, expected="an answer", where=where, next=step, code=code)
    return Refused(
        text, expected="a request that the cloud accepts", where=where, next=step, code=code
    )


def recorded_error(error: Mapping[str, Any], where: str) -> NitroWorkflowError:
    """Return the error that another process recorded, of the same class as it had there."""
    step = error.get("next") or "`nitro-workflow trace` shows how far the job came"
    return NitroWorkflowError.from_json(
        {**error, "where": error.get("where") or where, "next": step}
    )
