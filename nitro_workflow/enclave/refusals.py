"""What KMS really said, out of the exceptions in which libraries wrap it.

The Encryption SDK's keyrings try every key and raise one ``AWSEncryptionSDKClientError`` whose text
says nothing; the answers of KMS are in its ``args[0].list``. An operator needs those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nitro_workflow.errors import AccessRefused, NitroWorkflowError, Refused

__all__ = ["explain_refusal"]

# Deeper than any library wraps; a cycle of causes ends here too.
_MAX_DEPTH = 16

_NEXT = {
    "AccessDeniedException": "ask the key's owner for the decision record: nitro-workflow events",
    "InvalidCiphertextException": "give the encryption context that the data was encrypted with",
    "IncorrectKeyException": "give the key that the data was encrypted with",
    "DisabledException": "ask the key's owner to enable the key",
    "KMSInvalidStateException": "ask the key's owner to cancel the key's deletion",
    "ValidationException": "ask the key's owner for the decision record: nitro-workflow events",
    "NotFoundException": "check the key's ARN, its account and its region",
}


def explain_refusal(error: BaseException) -> NitroWorkflowError | None:
    """Return what is behind `error` as an error of this package, or None where it is not KMS's.

    `AccessRefused` carries KMS's code and words, of each key that was tried; an `UntrustedAnswer`
    or another error of this package is returned as it was raised.

    >>> explain_refusal(ValueError("no answer of KMS")) is None
    True
    """
    found = list(_unpack(error, 0))
    for inner in found:
        if isinstance(inner, Refused):
            return inner
    for inner in found:
        if isinstance(inner, NitroWorkflowError):
            return inner
    answers = dict.fromkeys(filter(None, map(_answer, found)))
    if not answers:
        return None
    codes = list(dict.fromkeys(code for code, _, _ in answers))
    return AccessRefused(
        "; ".join(f"{message or code}" for code, message, _ in answers),
        expected="KMS to allow the request",
        where=", ".join(dict.fromkeys(f"kms:{operation}" for _, _, operation in answers)),
        next=_NEXT.get(codes[0], "see KMS's documentation of this code"),
        code=codes[0],
    )


def _unpack(error: Any, depth: int) -> Iterator[BaseException]:
    """Yield an error and all that it wraps: collected lists, groups, causes."""
    if not isinstance(error, BaseException) or depth > _MAX_DEPTH:
        return
    yield error
    inner: list[Any] = list(getattr(error, "exceptions", ()))
    for argument in error.args:
        inner += [argument, *_listed(argument)]
    inner += [*_listed(error), error.__cause__]
    if not error.__suppress_context__:
        inner.append(error.__context__)
    for one in inner:
        yield from _unpack(one, depth + 1)


def _listed(holder: Any) -> list[Any]:
    """Return what a Dafny error collected: ``CollectionOfErrors.list``, ``OpaqueError.obj``."""
    listed = getattr(holder, "list", None)
    found = list(listed) if isinstance(listed, list | tuple) else []
    return [*found, getattr(holder, "obj", None)]


def _answer(error: BaseException) -> tuple[str, str, str] | None:
    """Return ``(code, message, operation)`` of a botocore ``ClientError``."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict) or "Error" not in response:
        return None
    details = response["Error"]
    operation = str(getattr(error, "operation_name", "") or "?")
    return str(details.get("Code", "")), str(details.get("Message", "")), operation
