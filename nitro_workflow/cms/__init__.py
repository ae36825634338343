"""The envelope in which KMS hands a plaintext to an enclave: ``CiphertextForRecipient``.

It is CMS EnvelopedData (RFC 5652) for one recipient: a content key under RSA-OAEP with SHA-256,
the content under AES-256-CBC. It is **not** authenticated: whoever has the enclave's public key can
seal another, and a flipped bit of the content may open to another plaintext. TLS to a measured
endpoint and the Encryption SDK's key commitment carry that, not this room.

>>> from cryptography.hazmat.primitives import serialization
>>> from cryptography.hazmat.primitives.asymmetric import rsa
>>> key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
>>> spki = key.public_key().public_bytes(
...     serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
... )
>>> envelope = seal_envelope(b"a data key", spki)
>>> open_envelope(envelope, key)
b'a data key'
>>> parse_envelope(envelope).key_identifier == key_identifier(spki)
True
"""

from __future__ import annotations

from nitro_workflow.cms.envelope import MAX_ENVELOPE_BYTES, Envelope, parse_envelope
from nitro_workflow.cms.opening import open_envelope
from nitro_workflow.cms.sealing import (
    MAX_PLAINTEXT_BYTES,
    key_identifier,
    load_recipient_key,
    seal_envelope,
)

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "MAX_PLAINTEXT_BYTES",
    "Envelope",
    "key_identifier",
    "load_recipient_key",
    "open_envelope",
    "parse_envelope",
    "seal_envelope",
]
