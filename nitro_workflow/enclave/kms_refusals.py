"""What KMS really said, out of the exceptions in which libraries wrap it.

The Encryption SDK tries every key and raises one error that says nothing of KMS. Its keyrings keep
KMS's words as text in ``args[0].list``; its legacy providers lose them, so `note_refusals` listens
to botocore's ``after-call`` event. An operator needs those words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from nitro_workflow.enclave.botocore_events import events_of
from nitro_workflow.enclave.left_streams import end_left_streams
from nitro_workflow.errors import AccessRefused, NitroWorkflowError, Refused

__all__ = ["explain_refusal", "note_refusals", "unpack_refusals"]

# Deeper than any library wraps; a cycle of causes ends here too.
_MAX_DEPTH = 16
# What the SDK's keyrings leave of a ClientError: its repr.
_TEXT = re.compile(
    r"An error occurred \((?P<code>\w+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \(reached max retries: \d+\))?: (?P<message>.*?)(?:['\"]\)+)?$",
    re.DOTALL,
)
# The legacy providers' errors (aws_encryption_sdk.exceptions) for "no key did it".
_WORDLESS = ("DecryptKeyError", "EncryptKeyError", "GenerateKeyError")
_EMITTER_ID = "nitro-workflow-refusals"
_NEXT = {
    "AccessDeniedException": "ask the key's owner for the decision record: nitro-workflow events",
    "DisabledException": "ask the key's owner to enable the key",
    "IncorrectKeyException": "give the key that the data was encrypted with",
    "InvalidCiphertextException": "give the encryption context that the data was encrypted with",
    "KMSInvalidStateException": "ask the key's owner to cancel the key's deletion",
    "NotFoundException": "check the key's ARN, its account and its region",
    "ValidationException": "ask the key's owner for the decision record: nitro-workflow events",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    code: str
    message: str
    operation: str


_seen: ContextVar[list[_Answer] | None] = ContextVar("nitro_workflow_refusals", default=None)


def note_refusals(client_or_session: Any) -> None:
    """Let `unpack_refusals` hear what KMS refuses to this client, or to a session's later clients.

    `attested` and `attested_session` do it for theirs.
    """
    events_of(client_or_session).register("after-call.kms", _note, unique_id=_EMITTER_ID)


@contextmanager
def unpack_refusals() -> Iterator[None]:
    """Raise `AccessRefused` with KMS's code and words in the place of what a library made of them.

    ::

        with unpack_refusals():
            sdk.decrypt(source=message, keyring=keyring)
    """
    seen: list[_Answer] = []
    token = _seen.set(seen)
    try:
        yield
    except Exception as error:
        end_left_streams(error)
        refusal = explain_refusal(error)
        if refusal is None and type(error).__name__ in _WORDLESS:
            refusal = _refusal(seen)
        if refusal is None or refusal is error:
            raise
        raise refusal from error
    finally:
        _seen.reset(token)


def explain_refusal(error: BaseException) -> NitroWorkflowError | None:
    """Return what is behind `error` as an error of this package, or None where KMS is not.

    `AccessRefused` carries the first code and the words of every answer; an `UntrustedAnswer` or
    another error of this package is returned as it was raised.

    >>> explain_refusal(ValueError("no answer of KMS")) is None
    True
    """
    found = list(_unpack(error, 0))
    ours = [inner for inner in found if isinstance(inner, NitroWorkflowError)]
    for inner in ours:
        if isinstance(inner, Refused):
            return inner
    return ours[0] if ours else _refusal(filter(None, map(_read, found)))


def _note(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    seen = _seen.get()
    if seen is not None and http_response.status_code >= 300:
        details = parsed.get("Error", {})
        seen.append(
            _Answer(str(details.get("Code", "")), str(details.get("Message", "")), model.name)
        )


def _refusal(answers: Iterable[_Answer]) -> AccessRefused | None:
    unique = list(dict.fromkeys(answers))
    if not unique:
        return None
    return AccessRefused(
        "; ".join(answer.message or answer.code for answer in unique),
        expected="KMS to allow the request",
        where=", ".join(dict.fromkeys(f"kms:{answer.operation}" for answer in unique)),
        next=_NEXT.get(unique[0].code, "see KMS's documentation of this code"),
        code=unique[0].code,
    )


def _unpack(error: Any, depth: int) -> Iterator[BaseException]:
    """Yield an error and all that it wraps: collected lists, groups, causes."""
    if not isinstance(error, BaseException) or depth > _MAX_DEPTH:
        return
    yield error
    inner: list[Any] = [*getattr(error, "exceptions", ()), *error.args]
    # The SDK's CollectionOfErrors and OpaqueError.
    listed = getattr(error, "list", None)
    inner += listed if isinstance(listed, list | tuple) else []
    inner += [getattr(error, "obj", None), error.__cause__]
    if not error.__suppress_context__:
        inner.append(error.__context__)
    for one in inner:
        yield from _unpack(one, depth + 1)


def _read(error: BaseException) -> _Answer | None:
    """Read a botocore ``ClientError``, or what a keyring left of one."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        details = response["Error"]
        operation = str(getattr(error, "operation_name", "") or "?")
        return _Answer(str(details.get("Code", "")), str(details.get("Message", "")), operation)
    match = _TEXT.search(str(error)) if type(error).__name__ == "ComAmazonawsKms" else None
    return _Answer(match["code"], match["message"], match["operation"]) if match else None
