"""The ciphertext blob of this KMS: AES-256-GCM, with the encryption context authenticated.

::

    "NWK1" ‖ key id (16) ‖ material id (32) ‖ IV (12) ‖ ciphertext ‖ tag (16)

AWS's own format is not published and must not be relied on; this one is not either. Additional
data is all before the IV and the encryption context in a form that two contexts never share.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["MAGIC", "Blob", "canonical", "open_blob", "parse_blob", "seal"]

MAGIC = b"NWK1"
_ID_END = 4 + 16
_HEADER_BYTES = 4 + 16 + 32
_IV_BYTES = 12
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Blob:
    """A ciphertext blob taken apart; nothing in it is authenticated before it is opened."""

    key_id: str
    material_id: str
    header: bytes
    iv: bytes
    body: bytes


def parse_blob(data: bytes) -> Blob | None:
    """Take a blob apart, or return None where it is none of this KMS's."""
    if len(data) < _HEADER_BYTES + _IV_BYTES + _TAG_BYTES or not data.startswith(MAGIC):
        return None
    return Blob(
        key_id=str(uuid.UUID(bytes=data[4:_ID_END])),
        material_id=data[_ID_END:_HEADER_BYTES].hex(),
        header=data[:_HEADER_BYTES],
        iv=data[_HEADER_BYTES : _HEADER_BYTES + _IV_BYTES],
        body=data[_HEADER_BYTES + _IV_BYTES :],
    )


def seal(
    plaintext: bytes, secret: bytes, key_id: str, material_id: str, context: Mapping[str, str]
) -> bytes:
    """Return the blob of `plaintext` under the material `secret`."""
    header = MAGIC + uuid.UUID(key_id).bytes + bytes.fromhex(material_id)
    iv = os.urandom(_IV_BYTES)
    return header + iv + AESGCM(secret).encrypt(iv, plaintext, header + canonical(context))


def open_blob(blob: Blob, secret: bytes, context: Mapping[str, str]) -> bytes | None:
    """Return the plaintext, or None where the blob or the encryption context is another."""
    try:
        return AESGCM(secret).decrypt(blob.iv, blob.body, blob.header + canonical(context))
    except InvalidTag:
        return None


def canonical(context: Mapping[str, str]) -> bytes:
    """Encode an encryption context: sorted, every string with its length before it.

    >>> canonical({"ab": "c"}) == canonical({"a": "bc"})
    False
    """
    parts = [len(context).to_bytes(4, "big")]
    for name in sorted(context):
        for text in (name.encode(), context[name].encode()):
            parts += [len(text).to_bytes(4, "big"), text]
    return b"".join(parts)
