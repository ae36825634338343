"""Documents that may break any rule, signed by keys that follow from their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm

from nitro_workflow.attestation.pack.bent_chain import (
    SHAPE,
    CertificatePlan,
    Chain,
    Keys,
    make_chain,
    published_key,
)
from nitro_workflow.encoding import cbor

__all__ = ["ES384", "INSTANCE", "MODULE", "NONCE", "PCRS", "DocumentForge", "bstr", "raw_signature"]

INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-enc0123456789abcdef"
NONCE = hashlib.sha256(b"nonce").digest()
PCRS: Mapping[int, bytes] = {
    **dict.fromkeys(range(16), bytes(48)),
    **{index: hashlib.sha384(f"PCR{index}".encode()).digest() for index in (0, 1, 2, 3)},
    4: hashlib.sha384(bytes(48) + INSTANCE.encode()).digest(),
}
ES384 = bytes.fromhex("a1013822")  # {1: -35}

_ROOT_NAME = "PUBLISHED TEST ROOT - ITS KEY IS PUBLIC"
_DOMAIN = "nitro-workflow-test-pack"
# A year: the root outlives the pack's moment; the others live as AWS's do, more or less.
_ROOT_LIFE = timedelta(days=365)


def bstr(data: bytes) -> bytes:
    """Return a CBOR byte string."""
    return cbor.dumps(data)


def raw_signature(key: Any, message: bytes, digest: HashAlgorithm) -> bytes:
    """Return r ‖ s, with the nonce of RFC 6979: the same bytes each time."""
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest, deterministic_signing=True)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@dataclass(frozen=True)
class DocumentForge:
    """Makes documents around one moment. ``secret`` makes the keys nobody else's: ``""`` for all.

    ``at`` is when they are to be checked: an aware time in whole seconds.
    """

    at: datetime
    secret: str = ""

    @property
    def timestamp(self) -> int:
        """Return a good document's time: 1,655 ms before the check."""
        return int(self.at.timestamp()) * 1000 - 1655

    @cached_property
    def shape(self) -> tuple[CertificatePlan, ...]:
        """Return AWS's shape with the pack's names."""
        root, *below = SHAPE
        named = [replace(plan, name=f"{plan.name}.{_DOMAIN}") for plan in below]
        return (replace(root, name=_ROOT_NAME, start=-_ROOT_LIFE, end=_ROOT_LIFE), *named)

    @cached_property
    def chain(self) -> Chain:
        """Return the good chain."""
        return self.chain_of(self.shape)

    @cached_property
    def other(self) -> Chain:
        """Return a chain of the same names under another root."""
        return self.chain_of(self.shape, "another")

    def keys(self, label: str = "") -> Keys:
        """Return what gives a certificate's key; another label gives other keys."""

        def key_of(plan: CertificatePlan) -> ec.EllipticCurvePrivateKey:
            curve = plan.curve or ec.SECP384R1()
            return published_key(f"{self.secret}/{label}/{plan.name}", curve)

        return key_of

    def chain_of(self, rows: Sequence[CertificatePlan], label: str = "") -> Chain:
        """Return a chain after other plans."""
        return make_chain(rows, self.at, self.keys(label))

    def plan(self, position: int, **changes: Any) -> tuple[CertificatePlan, ...]:
        """Return the shape with one certificate changed."""
        rows = list(self.shape)
        rows[position] = replace(rows[position], **changes)
        return tuple(rows)

    def bent(self, position: int, **changes: Any) -> bytes:
        """Return a document under the good root, with one certificate of the chain changed."""
        return self.document(self.chain_of(self.plan(position, **changes)))

    def fields(self, chain: Chain | None = None, **changes: Any) -> dict[str, Any]:
        """Return a good payload in AWS's order; a change to `...` leaves the field out."""
        chain = chain or self.chain
        values = {
            "module_id": MODULE,
            "digest": "SHA384",
            "timestamp": self.timestamp,
            "pcrs": PCRS,
            "certificate": chain.ders[-1],
            "cabundle": list(chain.ders[:-1]),
            "public_key": None,
            "user_data": None,
            "nonce": NONCE,
        } | changes
        return {name: value for name, value in values.items() if value is not ...}

    def document(self, chain: Chain | None = None, *, key: Any = None, **changes: Any) -> bytes:
        """Return a document with changed fields, signed by the chain's leaf or another key."""
        chain = chain or self.chain
        payload = cbor.dumps(self.fields(chain, **changes))
        return self.message(payload, key=key or chain.keys[-1])

    def message(
        self,
        payload: bytes,
        *,
        key: Any = None,
        protected: bytes = ES384,
        unprotected: bytes = b"\xa0",
        digest: HashAlgorithm | None = None,
        signed: bytes | None = None,
    ) -> bytes:
        """Return a COSE_Sign1. ``signed``: what the key signs, if not what RFC 9052 asks."""
        if signed is None:
            signed = cbor.dumps(["Signature1", protected, b"", payload])
        signature = raw_signature(key or self.chain.keys[-1], signed, digest or SHA384())
        return self.parts(bstr(protected), unprotected, bstr(payload), bstr(signature))

    def split(self) -> list[bytes]:
        """Return the four encoded parts of a good document."""
        message = self.document()
        return [message[part.start : part.end] for part in cbor.scan(message).children]

    @staticmethod
    def parts(*items: bytes) -> bytes:
        """Return an array of these encoded items."""
        return bytes([0x80 | len(items)]) + b"".join(items)
