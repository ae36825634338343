"""Lesson 08: what is true of its predictions, and how what a learner made is looked at."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, ClassVar

from nitro_workflow.attestation import parse_document
from nitro_workflow.cms import key_identifier, parse_envelope
from nitro_workflow.lab import Lab, fresh_document
from nitro_workflow.lessons.checking import LessonChecks, StandIn
from nitro_workflow.lessons.checks.asked_again import (
    ALGORITHM,
    Answered,
    ask_again,
    finished_recipient,
    is_fresh,
)
from nitro_workflow.lessons.checks.broken_bytes import BREAKS, flipped_iv
from nitro_workflow.lessons.checks.parent_sight import SIGHTS
from nitro_workflow.lessons.lab_bytes import whole
from nitro_workflow.lessons.practice_row import practice_key
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks"]

HANDSHAKE = 22  # RFC 8446 §5.1, ContentType


def _replayed(lab: Lab) -> str:
    document = fresh_document(lab.bench)
    said = ask_again(lab, finished_recipient(document))
    if said.code:
        return f"asked now, KMS said {said.code}: {said.message}"
    sealed_to = parse_envelope(said.answer["CiphertextForRecipient"]).key_identifier
    theirs = key_identifier(parse_document(document).public_key or b"")
    return (
        f"Asked now: HTTP 200, Plaintext {'there' if said.answer.get('Plaintext') else 'empty'}, "
        f"sealed to {'the key in the document' if sealed_to == theirs else 'another key'}."
    )


class Checks(LessonChecks):
    """Checks of lesson 08."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "replay": Truth(
            "an answer that it cannot open",
            "KMS keeps no list of used documents, and seals the answer to the public key in the "
            "document; the private key is in the enclave",
            found=_replayed,
        ),
        "iv": Truth(
            "the enclave, when it decrypts the data (D8)",
            "CBC has no tag: another IV opens to another first block, which is another data key; "
            "the tag of the data does not fit it",
            found=lambda lab: f"Tried now: {flipped_iv(lab).told}.",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "recipient": StandIn(
            "Recipient with a fresh document",
            make=lambda lab: finished_recipient(fresh_document(lab.bench)),
            usable=is_fresh,
        ),
        "data_key": StandIn(
            "data key", make=practice_key, usable=lambda lab, made: made == practice_key(lab)
        ),
    }

    def recipient(self, recipient: Any) -> Verdict:
        """Look at a Recipient: KMS itself is asked with it, as the instance's role."""
        if not isinstance(recipient, Mapping):
            return Verdict.wrong("Recipient is a structure: a dict with two members.")
        given = recipient.get("AttestationDocument")
        said = ask_again(self.lab, recipient)
        if said.code and given == whole(self.lab.bench, "document"):
            fresh = {**recipient, "AttestationDocument": fresh_document(self.lab.bench)}
            said = ask_again(self.lab, fresh)
            if not said.code:
                return _answered(said, "Yours has become too old meanwhile: a fresh one was used.")
        return _refused(said, recipient, self._genuine()) if said.code else _answered(said)

    def record(self, kind: Any, length: Any) -> Verdict:
        """Look at the header of the first record that the enclave sent."""
        header = whole(self.lab.bench, "to_kms")[:5]
        true = int.from_bytes(header[3:5], "big")
        if isinstance(kind, bytes) or isinstance(length, bytes):
            return Verdict.wrong("Numbers are asked for: int.from_bytes(…, “big”), or one index.")
        if kind != header[0]:
            return Verdict.wrong("The type is the first byte, by itself.", "Look at first[0].")
        if length == int.from_bytes(header[3:5], "little"):
            return Verdict.wrong("Networks write the high byte first: “big”.")
        if length == true + 5:
            return Verdict.wrong("The length does not count the header's own five bytes.")
        if length != true:
            return Verdict.wrong("The length stands in the last two bytes of the five.")
        return Verdict.right(
            f"Type {HANDSHAKE} is a handshake: the ClientHello, {true} bytes, in clear. It names "
            "the host. From the third record on the type is 23, application data: encrypted."
        )

    def unwrapped(self, data_key: Any) -> Verdict:
        """Look at the data key that was taken out of the practice row's envelope."""
        true = practice_key(self.lab)
        if not isinstance(data_key, (bytes, bytearray)):
            return Verdict.wrong("A data key is bytes.", "What does decryptor.update() return?")
        if data_key == true:
            return Verdict.right(
                "32 bytes, and they are the data key. The enclave did these three lines at D7, "
                "with a private key that nobody else has."
            )
        if data_key[: len(true)] == true:
            return Verdict.wrong(
                f"{len(data_key)} bytes: the padding is still on.",
                "Its last byte says how many to take off.",
            )
        if true[: len(data_key)] == data_key:
            return Verdict.wrong("Too much was taken off.", "Look at the last byte of padded.")
        if len(data_key) == len(true):
            return Verdict.wrong(
                "32 bytes, but another key: is it the content key?",
                "That one opens the envelope's content; the data key is what is inside.",
            )
        return Verdict.wrong(
            f"{len(data_key)} bytes, which are not the data key.",
            "First RSA-OAEP on parts.encrypted_key, then AES-256-CBC on parts.encrypted_content.",
        )

    def digest(self, digest: Any) -> Verdict:
        """Look at the digest that the receipt should hold."""
        receipt = parse_document(whole(self.lab.bench, "receipt"))
        given = bytes.fromhex(digest) if isinstance(digest, str) else digest
        if given == receipt.user_data:
            return Verdict.right(
                "It is the receipt's user_data: signed by the hypervisor, for this result, this "
                "input, this context and your nonce. Now, and only now, open the result."
            )
        if given == hashlib.sha256(whole(self.lab.bench, "result")).digest():
            return Verdict.wrong(
                "That is the digest of the result alone: it would fit another input, too.",
                "Take the digest of the whole statement.",
            )
        return Verdict.wrong(
            "The receipt holds another digest.",
            "One space, or another order of the names, gives other bytes: sort_keys=True and "
            'separators=(",", ":"). The nonce and the digests are hex text.',
        )

    def could_read(self, could_read: Any) -> Verdict:
        """Look at what the parent is said to be able to read."""
        missing = [name for name in SIGHTS if name not in could_read]
        if missing:
            return Verdict.unanswered(f"Still to fill in: {', '.join(missing)}.")
        for name, sight in SIGHTS.items():
            true, why = sight(self.lab)
            if _yes(could_read[name]) is not true:
                said = "Yes, it can read this" if true else "No, it cannot read this"
                return Verdict.wrong(f"{name}: {said}: {why}.")
        return Verdict.right(
            "All seven. It sees who talks to whom, when and how much; it has ciphertext and "
            "credentials; it reads nothing that was sealed."
        )

    def notices(self, notices: Any) -> Verdict:
        """Look at who is said to notice a changed byte: each is broken now, for real."""
        missing = [name for name in BREAKS if name not in notices]
        if missing:
            return Verdict.unanswered(f"Still to fill in: {', '.join(missing)}.")
        found = {}
        for name, trial in BREAKS.items():
            found[name] = noticed = trial(self.lab)
            if str(notices[name]).strip().upper() != noticed.step:
                return Verdict.wrong(
                    f"{name}: not {notices[name]}.", f"It was tried: {noticed.told:.240}"
                )
        return Verdict.right(
            "All six, and each was tried:",
            *(f"{name}: {one.step}, {one.told:.160}" for name, one in found.items()),
        )

    def _genuine(self) -> bytes:
        return whole(self.lab.bench, "document")


def _answered(said: Answered, *more: str) -> Verdict:
    envelope = said.answer.get("CiphertextForRecipient") or b""
    return Verdict.right(
        f"KMS answered: no Plaintext, and an envelope of {len(envelope)} bytes for whoever has "
        "the private key.",
        *more,
    )


def _refused(said: Answered, recipient: Mapping[str, Any], genuine: bytes) -> Verdict:
    document = recipient.get("AttestationDocument")
    told = f"KMS said {said.code}: {said.message:.200}"
    if said.code == "ParamValidationError":
        return Verdict.wrong(
            "boto3 does not know this form: the two members are KeyEncryptionAlgorithm, a text, "
            "and AttestationDocument, bytes."
        )
    if document is None:
        return Verdict.wrong("There is no AttestationDocument in it.", told)
    if isinstance(document, str) or _decoded(document) == genuine:
        return Verdict.wrong(
            "boto3 makes base64 of the bytes by itself: KMS got base64 of base64.",
            "Give it the document's own bytes.",
        )
    if recipient.get("KeyEncryptionAlgorithm") != ALGORITHM:
        return Verdict.wrong("KMS takes one key encryption algorithm only.", told)
    return Verdict.wrong(told, "Is it the document as the enclave got it, every byte?")


def _decoded(document: Any) -> bytes:
    try:
        return b64decode(document, validate=True)
    except (ValueError, TypeError):
        return b""


def _yes(said: Any) -> bool | None:
    words = {"yes": True, "no": False, "true": True, "false": False}
    return words.get(str(said).strip().lower())
