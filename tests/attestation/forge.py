"""A hypervisor that tests can bend: any chain, any payload, signed by whatever key is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from nitro_workflow.attestation.pack import bent_chain
from nitro_workflow.attestation.pack.bent_chain import SHAPE, CertificatePlan, Chain
from nitro_workflow.attestation.pack.bent_chain import bent_shape as shape
from nitro_workflow.encoding import cbor
from nitro_workflow.encoding.cose import build_sign1

from .conftest import MODULE, NOW, PCRS

__all__ = ["SHAPE", "CertificatePlan", "Chain", "document", "make_chain", "payload", "resigned"]
__all__ += ["shape", "signed"]


def make_chain(rows: tuple[CertificatePlan, ...] = SHAPE) -> Chain:
    return bent_chain.make_chain(rows, NOW, new_key)


def new_key(row: CertificatePlan) -> Any:
    """Return a key that nobody had before; RSA where the plan names no curve."""
    if row.curve is None:
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(row.curve)


def payload(chain: Chain, **changes: Any) -> dict[str, Any]:
    """Return a good payload; a change to `...` leaves the field out."""
    fields = {
        "module_id": MODULE,
        "digest": "SHA384",
        "timestamp": int(NOW.timestamp() * 1000),
        "pcrs": PCRS,
        "certificate": chain.ders[-1],
        "cabundle": list(chain.ders[:-1]),
        "public_key": None,
        "user_data": None,
        "nonce": None,
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


def document(chain: Chain, *, key: Any = None, **changes: Any) -> bytes:
    """Return a document whose fields are changed, signed by the leaf's key or another."""
    return signed(cbor.dumps(payload(chain, **changes)), key or chain.keys[-1])


def signed(encoded: bytes, key: Any) -> bytes:
    """Return a COSE_Sign1 over any bytes."""
    return build_sign1(encoded, key)


def resigned(message: bytes, **parts: Any) -> bytes:
    """Return the message with some of its four parts replaced, as they are."""
    import cbor2

    names = ("protected", "unprotected", "payload", "signature")
    values: Mapping[str, Any] = dict(zip(names, cbor2.loads(message), strict=True)) | parts
    return cbor2.dumps([values[name] for name in names])
