"""Lesson 02: a data key, a row by hand, a message read byte by byte and broken."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enclave_image.owner import CustomerRecords
from nitro_workflow.lab import Lab
from nitro_workflow.lessons.checking import LessonChecks, StandIn, marks
from nitro_workflow.lessons.checks.message_fields import NOTICED, MessageFields, who_notices
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]

_CONTEXT: Final = {"dataset": "customers", "version": "1"}
_NONCE, _TAG, _KEY = 12, 16, 32
_FORMS: Final = ("Plaintext", "CiphertextBlob")
_AFTER_ID: Final = 37  # version, suite, message id, and the length of the context


def _bound(context: Mapping[str, str]) -> bytes:
    return json.dumps(context, sort_keys=True, separators=(",", ":")).encode()


def _practice_answer(lab: Lab) -> dict[str, Any]:
    """Make a data key under a practice key of the owner's own, as the cell above it would."""
    kms = lab.bench.parties.session("owner").client("kms")
    rights = ("GenerateDataKey", "Decrypt", "GetKeyPolicy", "PutKeyPolicy", "ScheduleKeyDeletion")
    statement = {
        "Sid": "OwnerPractises",
        "Effect": "Allow",
        "Principal": {"AWS": lab.bench.policies.role_arn("owner")},
        "Action": [f"kms:{right}" for right in rights],
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return dict(
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=dict(_CONTEXT))
    )


def _finished_row(_: Lab) -> bytes:
    nonce = os.urandom(_NONCE)
    row = next(itertools.islice(CustomerRecords(seed=1, size=4096), 7, None)).rstrip()
    return nonce + AESGCM(os.urandom(_KEY)).encrypt(nonce, row, _bound(_CONTEXT))


def _is_context(_: Lab, made: object) -> bool:
    return made == _CONTEXT


def _is_answer(lab: Lab, made: object) -> bool:
    """Tell whether the cells below can decrypt it under the context that they use."""
    given = [made.get(form) for form in _FORMS] if isinstance(made, Mapping) else []
    forms = [form for form in given if isinstance(form, bytes)]
    if len(forms) != len(_FORMS):
        return False
    kms = lab.bench.parties.session("owner").client("kms")
    plain = _opens(kms, forms[1], _CONTEXT)
    return plain == forms[0] and len(plain) == _KEY


def _is_place(_: Lab, made: object) -> bool:
    return isinstance(made, int) and abs(made) < 700


class Checks(LessonChecks):
    """Checks of lesson 02: KMS, AES-GCM and the Encryption SDK are asked, not the text."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "encrypted-data-key": Truth(
            "into the message's header",
            "the message is to be opened by whoever may, with nothing else at hand; "
            "only the form by hand needs a second object",
        ),
        "changed-frame": Truth(
            "no row: an error",
            "each frame has a tag, and sdk.decrypt gives all or nothing. A stream hands out the "
            "frames before it: believe no row until it has ended without an error",
        ),
        "result-key": Truth(
            "a public key of the owner's",
            "the owner must open it outside an enclave, which the data key of the records is not "
            "for, and the parent that carries it must not: no TLS leads from enclave to owner",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "context": StandIn("encryption context", lambda _: dict(_CONTEXT), _is_context),
        "answer": StandIn("data key", _practice_answer, _is_answer),
        "by_hand": StandIn(
            "row", _finished_row, lambda _, made: isinstance(made, (bytes, bytearray))
        ),
        "context_bytes": StandIn(
            "length", lambda _: 34, lambda _, made: isinstance(made, int) and 0 < made < 100
        ),
        "place": StandIn("place", lambda _: -_TAG - 1, _is_place),
    }

    def data_key(self, answer: Any, context: Any) -> Verdict:
        """Have KMS decrypt the encrypted form, with the context and without it."""
        if "Plaintext" not in answer:
            return Verdict.wrong(
                "Here is the encrypted form only: you cannot encrypt with that.",
                "Which call gives both forms? If you forgot the plain one below, ask again.",
            )
        size = len(answer["Plaintext"])
        if size != _KEY:
            return Verdict.wrong(f"A key of {size * 8} bits.", 'AES-256: KeySpec="AES_256".')
        wrapped = answer["CiphertextBlob"]
        if _opens(self._kms, wrapped, {}) is not None:
            return Verdict.wrong(
                "It opens without any context: nothing was bound to it.",
                "Give EncryptionContext=context when you ask.",
            )
        if _opens(self._kms, wrapped, context) != answer["Plaintext"]:
            return Verdict.wrong("It does not open with this context: you asked with another.")
        if context != _CONTEXT:
            return Verdict.wrong(
                "Bound, but not to what the policy of P2 asks for.",
                'Two names, dataset and version: "customers" and "1".',
            )
        return Verdict.right(
            f"{size} bytes in clear, {len(wrapped)} bytes encrypted: "
            "KMS opens these with your context, and not without it."
        )

    def by_hand(self, by_hand: Any, row: Any, answer: Any, context: Any) -> Verdict:
        """Decrypt what was made by hand with the data key that KMS gives back."""
        key = _opens(self._kms, answer["CiphertextBlob"], context)
        if key is None:
            return Verdict.wrong("KMS does not open this data key: mend the cell above first.")
        made = bytes(by_hand)
        if len(made) != _NONCE + len(row) + _TAG:
            return Verdict.wrong(
                f"{len(made)} bytes, not {_NONCE} + {len(row)} + {_TAG}.",
                "The nonce of 12 bytes stands in front, the tag is put behind by encrypt.",
            )
        for bound, said in (
            (_bound(context), ""),
            (None, "It opens without the context: give bound as the third argument."),
            (b"", "It opens without the context: give bound as the third argument."),
        ):
            if _decrypted(key, made, bound) == row:
                return Verdict.wrong(said) if said else _right_row(made)
        return Verdict.wrong(
            "It does not open with the data key.",
            "Which of the two forms is the key? And is the nonce in front the one you used?",
        )

    def header(self, suite: Any, context_bytes: Any, message: Any) -> Verdict:
        """Compare two numbers of the header with the engine's reading."""
        true = MessageFields.of(message)
        if suite != true.suite:
            return Verdict.wrong(*_wrong_suite(suite, message))
        if context_bytes != true.context_bytes:
            near = {2: "That is how many pairs it has, two bytes further on."}
            said = near.get(context_bytes, "Two bytes at 1 + 2 + 32.")
            return Verdict.wrong("The context has another length.", said)
        return Verdict.right(
            f"{true.suite:#06x} is AES_256_GCM_HKDF_SHA512_COMMIT_KEY, and the context takes "
            f"{true.context_bytes} bytes, so the data keys begin at "
            f"{_AFTER_ID + true.context_bytes}."
        )

    @marks("encrypted-data-key")
    def keys(self, information: Any, content_type: Any, frame_length: Any, message: Any) -> Verdict:
        """Compare the fields behind the context with the engine's reading."""
        true = MessageFields.of(message)
        said = information.decode() if isinstance(information, bytes) else information
        if said != true.information:
            near = {true.provider: "That is the provider; the information comes behind it."}
            why = near.get(said, "It begins with arn:. Did you move behind the length, 2 bytes?")
            return Verdict.wrong("The information is another.", why)
        if content_type not in (true.content_type, bytes([true.content_type])):
            return Verdict.wrong(
                "The content type is another.",
                f"It is the byte behind the encrypted key, which has {true.wrapped_bytes} bytes.",
            )
        if frame_length != true.frame_length:
            return Verdict.wrong(
                "The frame length is another.", "Four bytes behind the content type: one number."
            )
        return Verdict.right(
            f"The encrypted data key stands in the header, {true.wrapped_bytes} bytes, with the "
            "ARN of the KMS key that opens it: whoever has the message knows whom to ask."
        )

    @marks("changed-frame")
    def place(self, place: Any, message: Any) -> Verdict:
        """Look in which part of the message a place is."""
        size = len(message)
        if not -size <= place < size:
            return Verdict.wrong(f"The message has {size} bytes: {place} is outside.")
        part = MessageFields.of(message).part_of(place % size)
        if part != "last frame's ciphertext":
            where = "another frame" if part == "body" else f"the {part}"
            return Verdict.wrong(
                f"That byte is in {where}.", "The last frame ends with its tag of 16 bytes."
            )
        return Verdict.right("The tag of that frame fails: InvalidTag, and no row at all.")

    def noticed(self, noticed: Any, message: Any, open_message: Callable[..., Any]) -> Verdict:
        """Change four bytes, each in a copy, and let the Encryption SDK open them."""
        found = who_notices(message, open_message)
        odd = [said for said in noticed.values() if said not in NOTICED]
        if odd:
            return Verdict.wrong(f"{odd[0]!r} is none of {', '.join(NOTICED)}.")
        wrong = [name for name, by in found.items() if noticed[name] != by]
        if not wrong:
            return Verdict.right(
                "Four copies were opened, and it is so.",
                "KMS first: it is given the context with the encrypted key. Then the commitment, "
                "then the header's tag, then each frame's.",
            )
        first = wrong[0]
        return Verdict.wrong(
            f"Tried: with {first} changed, the {noticed[first]} is not what stops it.",
            _LOOK[first],
            *([f"Still to look at: {', '.join(wrong[1:])}."] if wrong[1:] else []),
        )

    @property
    def _kms(self) -> Any:
        return self.lab.bench.parties.session("owner").client("kms")


_LOOK: Final = {
    "the context's version": "Decrypt takes the context that the header tells.",
    "the frame length": "No key is derived from it: what covers the header as it stands?",
    "the message id": "It goes into what is derived from the data key: what is compared first?",
    "a frame's ciphertext": "The header is untouched.",
}


def _opens(kms: Any, wrapped: bytes, context: Mapping[str, str]) -> bytes | None:
    """Return what KMS decrypts; None where it does not belong to this context."""
    from botocore.exceptions import ClientError

    try:
        answer = kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=dict(context))
    except ClientError:
        return None
    return bytes(answer["Plaintext"])


def _decrypted(key: bytes, made: bytes, bound: bytes | None) -> bytes | None:
    try:
        return AESGCM(key).decrypt(made[:_NONCE], made[_NONCE:], bound)
    except InvalidTag:
        return None


def _right_row(made: bytes) -> Verdict:
    if not any(made[:_NONCE]):
        return Verdict.wrong(
            "It opens, but the nonce is all zeros: the next row would have the same.",
            "Two rows under one nonce and key betray each other: os.urandom(12).",
        )
    return Verdict.right("The data key that KMS gives back opens it, with the context bound.")


def _wrong_suite(suite: object, message: bytes) -> tuple[str, ...]:
    if isinstance(suite, tuple):
        return ("A tuple: unpack_from returns one even for one number.", "Take its first member.")
    if suite == int.from_bytes(message[1:3], "little"):
        return ("The bytes are the other way round.", 'Big-endian is ">".')
    if suite == int.from_bytes(message[:2], "big"):
        return ("You began at byte 0: that is the version.", "The suite begins at 1.")
    return ("The suite is another number.", "Two bytes at 1, behind the version.")
