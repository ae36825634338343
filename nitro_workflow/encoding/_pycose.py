"""What is taken from pycose: the COSE structures. ECDSA is given from outside.

pycose refuses untagged messages in ``decode`` and signs through python-ecdsa, whose timing leaks;
its messages are therefore made from their parts, and its primitive is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycose.algorithms import Es256, Es384, Es512
from pycose.headers import Algorithm
from pycose.messages import Sign1Message

_CLASSES: dict[str, Any] = {"ES256": Es256, "ES384": Es384, "ES512": Es512}


class _OpenSslSign1(Sign1Message):  # type: ignore[misc]  # pycose has no types
    """A message whose signature is made or checked by a function of ours."""

    def to_be_signed(self) -> bytes:
        structure: bytes = self._create_sig_structure()
        return structure


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """Return the bytes that a COSE_Sign1 signature covers (RFC 9052 §4.4)."""
    parts = [protected, {}, payload, b""]
    message: _OpenSslSign1 = _OpenSslSign1.from_cose_obj(parts, allow_unknown_attributes=True)
    return message.to_be_signed()


def build(payload: bytes, algorithm: str, sign: Callable[[bytes], bytes]) -> bytes:
    """Return an untagged message signed by ``sign``, which returns r ‖ s."""
    message = _OpenSslSign1(phdr={Algorithm: _CLASSES[algorithm]}, uhdr={}, payload=payload)
    message.signature = sign(message.to_be_signed())
    encoded: bytes = message.encode(tag=False, sign=False)
    return encoded
