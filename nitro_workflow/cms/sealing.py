"""Seal a plaintext to the public key of an attestation document: what KMS does."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from nitro_workflow.cms import ber
from nitro_workflow.cms.envelope import (
    AES_256_CBC,
    BLOCK_BYTES,
    DATA,
    ENCRYPTED_KEY_BYTES,
    ENVELOPED_DATA,
    OAEP_SHA_256,
    VERSION_2,
)
from nitro_workflow.errors import EnvelopeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

# KMS API model, PlaintextType: at most 4096 bytes.
MAX_PLAINTEXT_BYTES = 4096

# OpenSSL's OPENSSL_RSA_MAX_PUBEXP_BITS, which it holds long keys to; a longer one is also slow.
MAX_EXPONENT_BITS = 64


def key_identifier(spki_der: bytes) -> bytes:
    """Return the 32 bytes by which an envelope names its recipient: SHA-256 of the SPKI (DER)."""
    return sha256(spki_der).digest()


def seal_envelope(plaintext: bytes, spki_der: bytes) -> bytes:
    """Return an envelope, laid out byte for byte as KMS's, that only `spki_der`'s owner opens.

    `plaintext` has 0 to 4096 bytes, `spki_der` is an RSA public key of 2048, 3072 or 4096 bits as
    DER SubjectPublicKeyInfo. Raises `EnvelopeError` for another key or a longer plaintext.
    """
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise EnvelopeError(
            f"a plaintext of {len(plaintext)} bytes",
            expected=f"at most {MAX_PLAINTEXT_BYTES} bytes",
            where="plaintext",
            next="seal a data key, and encrypt the data with that",
        )
    content_key, iv = os.urandom(32), os.urandom(BLOCK_BYTES)
    encrypted_key = _wrap(content_key, load_recipient_key(spki_der))
    return _layout(
        key_identifier(spki_der), encrypted_key, iv, _encrypt(plaintext, content_key, iv)
    )


@lru_cache(maxsize=256)
def load_recipient_key(spki_der: bytes) -> rsa.RSAPublicKey:
    """Return the public key that an envelope can be sealed to.

    An enclave asks again and again with one key: a loaded key keeps what OpenSSL computes once.

    Raises `EnvelopeError` for anything but an RSA key of 2048, 3072 or 4096 bits, with an exponent
    of at most 64, as DER SubjectPublicKeyInfo. (AWS documents 2048; the others are unverified
    there.)
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(spki_der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable("bytes that are not a public key") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise _unusable("a key that is not RSA")
    if key.key_size // 8 not in ENCRYPTED_KEY_BYTES or key.key_size % 8:
        raise _unusable(f"an RSA key of {key.key_size} bits")
    exponent = key.public_numbers().e.bit_length()
    if exponent > MAX_EXPONENT_BITS:
        raise _unusable(f"an RSA key with an exponent of {exponent} bits")
    return key


def _unusable(found: str) -> EnvelopeError:
    return EnvelopeError(
        found,
        expected="an RSA public key of 2048, 3072 or 4096 bits as DER SubjectPublicKeyInfo",
        where="public_key of the attestation document",
        next="ask the NSM for a document with the enclave's RSA public key in it",
    )


def _wrap(content_key: bytes, recipient: rsa.RSAPublicKey) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return recipient.encrypt(
        content_key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    )


def _encrypt(plaintext: bytes, content_key: bytes, iv: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    count = BLOCK_BYTES - len(plaintext) % BLOCK_BYTES
    cipher = Cipher(algorithms.AES256(content_key), modes.CBC(iv)).encryptor()
    return cipher.update(plaintext + bytes([count]) * count) + cipher.finalize()


def _layout(identifier: bytes, encrypted_key: bytes, iv: bytes, content: bytes) -> bytes:
    """KMS's form: indefinite where it streams, definite where it knows the length."""
    recipient = _definite(
        ber.SEQUENCE,
        VERSION_2,
        _definite(ber.CONTEXT_0, identifier),
        OAEP_SHA_256,
        _definite(ber.OCTET_STRING, encrypted_key),
    )
    content_info = _indefinite(
        ber.SEQUENCE,
        DATA,
        _definite(ber.SEQUENCE, AES_256_CBC, _definite(ber.OCTET_STRING, iv)),
        _indefinite(ber.CONTEXT_0_CONSTRUCTED, _definite(ber.OCTET_STRING, content)),
    )
    enveloped = _indefinite(ber.SEQUENCE, VERSION_2, _definite(ber.SET, recipient), content_info)
    return _indefinite(
        ber.SEQUENCE, ENVELOPED_DATA, _indefinite(ber.CONTEXT_0_CONSTRUCTED, enveloped)
    )


def _definite(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes([tag, length]) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def _indefinite(tag: int, *parts: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"
