"""Does KMS's answer fit what was asked? One rule an operation, each from the API's model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# KMS API model: PlaintextType, 1 to 4096 bytes.
MAX_PLAINTEXT_BYTES = 4096
DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}
# The x coordinate of NIST's P-256, P-384, P-521; SM2 has P-256's size.
SHARED_SECRET_BYTES = (32, 48, 66)

Fault = tuple[str, str]


def find_fault(
    operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any], plaintext: bytes
) -> Fault | None:
    """Return ``(found, expected)`` where the answer does not fit the request, else None."""
    fault = _other_key(asked, answer)
    if fault:
        return fault
    if operation == "GenerateDataKeyPair":
        return _other_pair(answer, plaintext)
    lengths = _lengths(operation, asked)
    if len(plaintext) not in lengths:
        return f"a plaintext of {len(plaintext)} bytes", f"{_words(lengths)} bytes"
    return None


def _lengths(operation: str, asked: Mapping[str, Any]) -> range | tuple[int, ...]:
    if operation == "DeriveSharedSecret":
        return SHARED_SECRET_BYTES
    if "NumberOfBytes" in asked:
        return (asked["NumberOfBytes"],)
    if asked.get("KeySpec") in DATA_KEY_BYTES:
        return (DATA_KEY_BYTES[asked["KeySpec"]],)
    return range(1, MAX_PLAINTEXT_BYTES + 1)


def _words(lengths: range | tuple[int, ...]) -> str:
    if isinstance(lengths, range):
        return f"{lengths.start} to {lengths.stop - 1}"
    return " or ".join(map(str, lengths))


def _other_key(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Fault | None:
    """Where a key's ARN was asked for, the answer must name it (an alias names another thing)."""
    wanted, got = str(asked.get("KeyId", "")), str(answer.get("KeyId", ""))
    if ":key/" in wanted and got != wanted:
        return f"an answer for the key {got or '(none)'}", wanted
    return None


def _other_pair(answer: Mapping[str, Any], plaintext: bytes) -> Fault | None:
    """Hold the private key against the public key beside it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_private_key,
    )

    expected = "a PKCS#8 private key that belongs to PublicKey"
    try:
        key = load_der_private_key(plaintext, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "an envelope that holds no private key", expected
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return None if spki == answer.get("PublicKey") else ("another pair's private key", expected)
