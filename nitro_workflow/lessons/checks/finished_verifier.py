"""A verifier by hand, finished: what stands in where a learner's cell is left open."""

from __future__ import annotations

import base64
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from nitro_workflow.lessons.checks.steps_by_hand import signed_bytes
from nitro_workflow.widgets import sample

__all__ = ["believe", "fields", "holds", "issued", "logged", "parts", "to_be_signed"]

_COORDINATE: Final = 48
"""Bytes of r and of s: P-384 has numbers of 384 bits."""


def logged(name: str) -> bytes:
    """Return the document in a line of a log, as the notebook finds it."""
    return base64.b64decode(sample(name).read_text().split('"')[3])


def parts() -> Any:
    """Return the four parts of the document in ``attested.log``."""
    return cbor2.loads(logged("attested.log"))


def fields() -> Any:
    """Return the map of its payload."""
    return cbor2.loads(parts()[2])


def issued(below: Any, above: Any) -> bool:
    """Tell whether one certificate issued the other, by name and signature."""
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Return the encoded Sig_structure of RFC 9052."""
    return signed_bytes([protected, None, payload])


def holds(signed: bytes, signature: bytes, key: Any) -> bool:
    """Tell whether the signature, r ‖ s, is by the key over ``signed``, in ES384."""
    halves = signature[:_COORDINATE], signature[_COORDINATE:]
    der = encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))
    try:
        key.verify(der, signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True


def believe(verified: Any, nonce: bytes, channel_key: bytes) -> bool:
    """Tell whether a verified document answers this nonce and names this key."""
    document = verified.document
    return bool(document.nonce == nonce and document.public_key == channel_key)
