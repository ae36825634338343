"""Open an envelope with the enclave's private key."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from nitro_workflow.cms.envelope import BLOCK_BYTES, Envelope, parse_envelope
from nitro_workflow.errors import EnvelopeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

_CONTENT_KEY_BYTES = 32


def open_envelope(envelope: bytes, private_key: rsa.RSAPrivateKey) -> bytes:
    """Return the plaintext that KMS sealed to `private_key`'s public key.

    Raises `EnvelopeError` where the bytes are no envelope, where they are for another key, and,
    with one text for all of its causes so that no oracle is made, where they do not open. An
    envelope is not authenticated: the plaintext may be another's choice (RFC 5652 clause 14; see
    the room's docstring for what carries that).
    """
    parsed = parse_envelope(envelope)
    _require_recipient(parsed, private_key)
    content_key = _unwrap(parsed.encrypted_key, private_key)
    return _unpad(_decrypt(parsed, content_key))


def _require_recipient(parsed: Envelope, private_key: rsa.RSAPrivateKey) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if parsed.key_identifier != sha256(spki).digest():
        start, end = parsed.spans["key_identifier"]
        raise EnvelopeError(
            f"sealed to the key {parsed.key_identifier.hex()}",
            expected=f"{sha256(spki).hexdigest()}, the SHA-256 of the enclave's public key",
            where=f"envelope bytes {start} to {end}",
            next="open it with the key pair whose public key was in the attestation document",
        )


def _unwrap(encrypted_key: bytes, private_key: rsa.RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    try:
        content_key = private_key.decrypt(encrypted_key, oaep)
    except ValueError:
        raise _unopened() from None
    if len(content_key) != _CONTENT_KEY_BYTES:
        raise _unopened()
    return content_key


def _decrypt(parsed: Envelope, content_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES256(content_key), modes.CBC(parsed.iv)).decryptor()
    return cipher.update(parsed.encrypted_content) + cipher.finalize()


def _unpad(padded: bytes) -> bytes:
    """Take PKCS#7 padding off (RFC 5652 clause 6.3); compared without an early exit."""
    count = padded[-1]
    if not 1 <= count <= BLOCK_BYTES:
        raise _unopened()
    if not hmac.compare_digest(padded[-count:], bytes([count]) * count):
        raise _unopened()
    return padded[:-count]


def _unopened() -> EnvelopeError:
    return EnvelopeError(
        "the envelope does not open with this key",
        expected="an envelope as KMS sealed it",
        where="envelope",
        next="ask KMS again; if it stays so, somebody between KMS and the enclave changes bytes",
    )
