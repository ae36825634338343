"""What is taken from pycose: the COSE structures. ECDSA is given from outside.

pycose refuses untagged messages in ``decode`` and signs through python-ecdsa, whose timing leaks;
its messages are therefore made from their parts, and its primitive is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import lru_cache

from pycose.messages import Sign1Message


class _OpenSslSign1(Sign1Message):  # type: ignore[misc]  # pycose has no types
    """A message whose signature is made or checked by a function of ours."""

    def to_be_signed(self) -> bytes:
        structure: bytes = self._create_sig_structure()
        return structure


@lru_cache(maxsize=8)
def _empty(protected: bytes) -> _OpenSslSign1:
    """Return the message without its payload: pycose reads a header in 30 us, again and again."""
    parts = [protected, {}, b"", b""]
    message: _OpenSslSign1 = _OpenSslSign1.from_cose_obj(parts, allow_unknown_attributes=True)
    return message


def _message(protected: bytes, payload: bytes) -> _OpenSslSign1:
    message = copy(_empty(protected))  # its own payload and signature; the headers are never set
    message.payload = payload
    return message


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """Return the bytes that a COSE_Sign1 signature covers (RFC 9052 §4.4)."""
    return _message(protected, payload).to_be_signed()


def build(payload: bytes, protected: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return an untagged message signed by ``sign``, which returns r ‖ s."""
    message = _message(protected, payload)
    message.signature = sign(message.to_be_signed())
    encoded: bytes = message.encode(tag=False, sign=False)
    return encoded
