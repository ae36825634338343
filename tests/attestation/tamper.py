"""Flips single bits of a document and says which flips are believed; runs in a worker process."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.attestation import Verifier
from nitro_workflow.errors import VerificationError


def believed_flips(data: bytes, root: bytes, bits: Sequence[int]) -> list[int]:
    """Return those of the bit numbers whose flip is not refused at the document's time."""
    verifier = Verifier.with_root(root)
    believed = []
    changed = bytearray(data)
    for bit in bits:
        changed[bit >> 3] ^= 1 << (bit & 7)
        try:
            verifier.verify_including_debug(bytes(changed), at="document")
        except VerificationError:
            pass
        else:
            believed.append(bit)
        changed[bit >> 3] ^= 1 << (bit & 7)
    return believed
