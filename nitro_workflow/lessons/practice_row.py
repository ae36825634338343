"""One row for a learner to open by hand: what the owner and KMS do, done to the learner's own key.

The enclave's private key never leaves the enclave. So the learner makes a key pair, and a row of
made-up customers is encrypted under a new data key, which is sealed to that pair: the steps P3 and
D5 once more, small enough to be undone in a few lines.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from enclave_image import canonical_json
from enclave_image.owner import CustomerRecords
from nitro_workflow.cms import seal_envelope
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    from nitro_workflow.lab import Lab

__all__ = ["SealedRow", "practice_key", "seal_row"]

ROW: Final = 7  # of the made-up records; any but the header
CONTEXT: Final = {"dataset": "customers", "version": "1"}
_KEPT: Final = "practice-data-key"


@dataclass(frozen=True, slots=True)
class SealedRow:
    """``envelope`` holds the data key (CMS), ``ciphertext`` the row: AES-256-GCM, tag at the end.

    ``nonce`` has 12 bytes; ``context`` is what the tag covers beside the row.
    """

    envelope: bytes
    nonce: bytes
    ciphertext: bytes
    context: bytes


def seal_row(lab: Lab, public_key: Any) -> SealedRow:
    """Return a row encrypted under a new data key, and that sealed to an RSA public key.

    Raises `UsageError` for what is no RSA public key, `EnvelopeError` for another length of it.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if not isinstance(public_key, rsa.RSAPublicKey):
        raise UsageError(
            f"a {type(public_key).__name__}",
            expected="the RSA public key of your pair",
            where="lesson.sealed_row",
            next="give mine.public_key()",
        )
    records = CustomerRecords(seed=lab.bench.seed, size=64 * 1024)
    row = next(itertools.islice(records, ROW, None)).rstrip()
    data_key, nonce, context = os.urandom(32), os.urandom(12), canonical_json(CONTEXT)
    lab.bench.memory[_KEPT] = data_key
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SealedRow(
        envelope=seal_envelope(data_key, spki),
        nonce=nonce,
        ciphertext=AESGCM(data_key).encrypt(nonce, row, context),
        context=context,
    )


def practice_key(lab: Lab) -> bytes:
    """Return the data key of the last sealed row, 32 bytes. Raises `UsageError` for none."""
    found = lab.bench.memory.get(_KEPT)
    if not isinstance(found, bytes):
        raise UsageError(
            "no row was sealed in this kernel",
            expected="lesson.sealed_row(mine.public_key())",
            where="the practice row",
            next="run the cell that makes your key pair",
        )
    return found
