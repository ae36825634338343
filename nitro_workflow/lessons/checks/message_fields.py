"""The fields of an Encryption SDK message as the engine reads them, and its parts to be broken."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.enclave import end_left_streams
from nitro_workflow.errors import UsageError
from nitro_workflow.lessons.checks.broken_bytes import flip
from nitro_workflow.widgets import make_message

__all__ = ["NOTICED", "MessageFields", "who_notices"]

NOTICED: Final = ("KMS", "commitment", "header tag", "frame tag")
"""What may stop a changed message first."""


@dataclass(frozen=True, slots=True)
class MessageFields:
    """A message taken apart: ``spans`` are places by name, first and behind the last."""

    suite: int
    context_bytes: int
    provider: str
    information: str
    wrapped_bytes: int
    content_type: int
    frame_length: int
    spans: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, message: bytes) -> MessageFields:
        """Return the fields of a whole, framed message. Raises `UsageError` for anything else."""
        model = make_message(bytes(message))
        if model.head.tone == "bad" or len(model.nodes) < 2 or not model.keys:
            raise UsageError(
                "no whole message",
                expected="what sdk.encrypt returned",
                where="message",
                next="run the cell with sdk.encrypt again",
            )
        header, frames = model.nodes[:2]
        spans = {one.label: (one.start, one.end) for one in header.children}
        spans["body"] = (frames.start, frames.end)
        last = {one.label: (one.start, one.end) for one in frames.children[-1].children}
        spans["last frame's ciphertext"] = last["ciphertext"]
        spans["last frame's tag"] = last["tag"]
        key = model.keys[0]

        def number(label: str, form: str) -> int:
            return int(struct.unpack_from(form, message, spans[label][0])[0])

        return cls(
            suite=number("algorithm suite", ">H"),
            context_bytes=number("encryption context", ">H"),
            provider=key.provider,
            information=key.name,
            wrapped_bytes=key.size,
            content_type=message[spans["content type"][0]],
            frame_length=number("frame length", ">I"),
            spans=spans,
        )

    def part_of(self, place: int) -> str:
        """Return the name of the smallest part in which a place is; "" for none."""
        found = [(end - start, name) for name, (start, end) in self.spans.items()
                 if start <= place < end]  # fmt: skip
        return min(found)[1] if found else ""

    def places(self) -> Mapping[str, int]:
        """Return the places that lesson 02 has changed, by what it calls them."""
        return {
            "the context's version": self.spans["encryption context"][1] - 1,
            "the frame length": self.spans["frame length"][1] - 1,
            "the message id": self.spans["message id"][0],
            "a frame's ciphertext": self.spans["last frame's ciphertext"][0],
        }


def who_notices(message: bytes, open_message: Callable[..., Any]) -> Mapping[str, str]:
    """Change each place in a copy, open it, and return who stopped it, of `NOTICED`."""
    places = MessageFields.of(message).places()
    return {name: _stopped_by(flip(message, at), open_message) for name, at in places.items()}


def _stopped_by(message: bytes, open_message: Callable[..., Any]) -> str:
    from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
    from cryptography.exceptions import InvalidTag

    try:
        open_message(source=message)
    except (InvalidTag, AWSEncryptionSDKClientError) as error:
        end_left_streams(error)
        if isinstance(error, InvalidTag):
            return "frame tag"
        return next((by for words, by in _told() if words in str(error)), "")
    return ""


def _told() -> Iterator[tuple[str, str]]:
    """Yield words of the Encryption SDK's errors, and what stopped the message then."""
    yield "commitment validation failed", "commitment"
    yield "Header authorization failed", "header tag"
    yield "No Configured KMS Key", "KMS"
