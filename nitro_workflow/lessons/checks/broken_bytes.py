"""One byte changed, six times over, and who notices: each is really tried.

What is broken is a copy. The workflow's own bytes stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from enclave_image.owner import verify_receipt
from nitro_workflow.attestation import Verifier, parse_document
from nitro_workflow.cms import open_envelope, parse_envelope, seal_envelope
from nitro_workflow.errors import EnvelopeError, ReceiptRefused, UntrustedAnswer
from nitro_workflow.lab import Lab, expected_of, fresh_document, jobs_of, try_attack
from nitro_workflow.lessons.checks.asked_again import ask_again, finished_recipient
from nitro_workflow.lessons.lab_bytes import whole

__all__ = ["BREAKS", "Noticed", "flip", "flipped_iv"]


@dataclass(frozen=True, slots=True)
class Noticed:
    """The step that noticed, and what it said."""

    step: str
    told: str


def flip(data: bytes, place: int) -> bytes:
    """Return a copy with the lowest bit of one byte changed."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def _document(lab: Lab) -> Noticed:
    genuine = fresh_document(lab.bench)
    place = genuine.index(parse_document(genuine).pcrs[0])
    said = ask_again(lab, finished_recipient(flip(genuine, place)))
    return _refused("D4", said.code, said.message)


def _request(lab: Lab) -> Noticed:
    def on_the_way(request: Any, **_: Any) -> None:
        request.body = request.body.replace(b"customers", b"customerz")

    recipient = finished_recipient(fresh_document(lab.bench))
    said = ask_again(lab, recipient, on_the_way=on_the_way)
    return _refused("D4", said.code, said.message)


def _wrapped_key(lab: Lab) -> Noticed:
    del lab
    mine, envelope, _ = _own_envelope()
    place = parse_envelope(envelope).spans["encrypted_key"][0] + 100
    try:
        open_envelope(flip(envelope, place), mine)
    except EnvelopeError as error:
        return _refused("D7", error.code, error.found)
    raise _unnoticed("the envelope's encrypted key")


def flipped_iv(lab: Lab) -> Noticed:
    """Change the IV of an envelope, open it, and use what came out on data."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    del lab
    mine, envelope, data_key = _own_envelope()
    place = parse_envelope(envelope).spans["iv"][0]
    other = open_envelope(flip(envelope, place), mine)
    nonce = os.urandom(12)
    data = AESGCM(data_key).encrypt(nonce, b"a row", b"")
    try:
        AESGCM(other).decrypt(nonce, data, b"")
    except InvalidTag as error:
        told = f"the envelope opened to {len(other)} bytes without a word; then the data did not"
        return _refused("D8", type(error).__name__, told)
    raise _unnoticed("the envelope's IV")


def _ciphertext(lab: Lab) -> Noticed:
    ended = try_attack(lab, "tampered-ciphertext")
    return _refused("D8", ended.code, ended.reason)


def _result(lab: Lab) -> Noticed:
    receipt, result = whole(lab.bench, "receipt"), whole(lab.bench, "result")
    try:
        verify_receipt(
            flip(result, len(result) // 2),
            receipt,
            expected_of(lab.bench, jobs_of(lab.bench)["encryption-sdk"]),
            verifier=Verifier.local(lab.bench.cloud.trust().root_der),
            at=parse_document(receipt).timestamp,
        )
    except ReceiptRefused as error:
        return _refused("D9", error.code, error.found)
    raise _unnoticed("the result")


BREAKS: Final[Mapping[str, Callable[[Lab], Noticed]]] = {
    "document": _document,
    "request": _request,
    "wrapped key": _wrapped_key,
    "iv": flipped_iv,
    "ciphertext": _ciphertext,
    "result": _result,
}
"""What is broken → a trial of it."""


def _own_envelope() -> tuple[Any, bytes, bytes]:
    """Return a new key pair, an envelope sealed to it, and the data key inside."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    mine, data_key = rsa.generate_private_key(public_exponent=65537, key_size=2048), os.urandom(32)
    spki = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return mine, seal_envelope(data_key, spki), data_key


def _refused(step: str, code: str, told: str) -> Noticed:
    if not code:
        raise _unnoticed("a changed byte")
    return Noticed(step, f"{code}: {told}")


def _unnoticed(what: str) -> UntrustedAnswer:
    return UntrustedAnswer(
        f"{what} was changed, and nobody noticed",
        expected="a refusal",
        where="lesson 08",
        next="report this: a check is missing",
    )
