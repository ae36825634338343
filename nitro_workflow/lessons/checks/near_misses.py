"""What a learner made of a document's bytes instead, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cbor2

from nitro_workflow.lessons.checks.finished_verifier import parts
from nitro_workflow.lessons.checks.steps_by_hand import Said

__all__ = ["why_fields", "why_parts", "why_signed"]


def why_parts(made: Any) -> str:
    """Say what was taken for the array of four."""
    if isinstance(made, bytes):
        return "These are bytes: cbor2.loads reads them."
    if isinstance(made, dict):
        return "This is the map inside: the array is what raw itself decodes to."
    return "cbor2.loads of raw, whole."


def why_fields(made: Any) -> str:
    """Say what was taken for the payload's map."""
    if made == cbor2.loads(parts()[0]):
        return "This is the protected header, {1: -35}: ES384. The map is in the third part."
    if isinstance(made, bytes):
        return "The payload is a byte string with CBOR inside: it is decoded once more."
    return "cbor2.loads of parts[2]."


def _near_signed(message: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    header, payload = message[0], message[2]
    yield payload, "A COSE signature is not over the payload alone: the header is in it."
    yield ["Signature1", header, b"", payload], "The array is to be encoded: cbor2.dumps."
    yield cbor2.dumps(["Signature1", header, payload]), "The third item, external data, is empty."
    yield (
        cbor2.dumps(["Signature1", cbor2.loads(header), b"", payload]),
        "The header goes in as its bytes, not decoded.",
    )
    yield (
        cbor2.dumps(["Signature1", header, b"", cbor2.loads(payload)]),
        "The payload goes in as its bytes, not decoded.",
    )
    yield cbor2.dumps(["Signature", header, b"", payload]), "For one signer it is “Signature1”."


def why_signed(made: Said, message: Sequence[Any]) -> str:
    """Say what was taken for the Sig_structure."""
    if made.raised:
        return f"It raised {made.raised}."
    near = (why for value, why in _near_signed(message) if value == made.value)
    return next(near, "RFC 9052, section 4.4: an array of four, encoded.")
