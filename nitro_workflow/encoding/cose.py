"""COSE_Sign1 (RFC 9052 §4.2): read, checked and built; pycose for structure, OpenSSL for ECDSA.

pycose is imported when a signature is made or checked, never to parse: that keeps the processes of
the lab quick to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from nitro_workflow.encoding import cbor
from nitro_workflow.errors import EncodingError

__all__ = [
    "COSE_SIGN1_TAG",
    "Algorithm",
    "Sign1",
    "Span",
    "algorithm_of",
    "build_sign1",
    "parse_sign1",
    "read_sign1",
    "verify_sign1",
]

COSE_SIGN1_TAG = 18
_PARTS = ("protected", "unprotected", "payload", "signature")


class Span(NamedTuple):
    """A half-open byte range. ``content`` is where the item's own bytes begin, after its head."""

    start: int
    content: int
    end: int


class Algorithm(NamedTuple):
    """An ECDSA algorithm of COSE: its id (RFC 9053 §2.1), curve, hash and length of r and of s."""

    name: str
    id: int
    curve: str
    hash: hashes.HashAlgorithm
    size: int


_ALGORITHMS = {
    algorithm.curve: algorithm
    for algorithm in (
        Algorithm("ES256", -7, "secp256r1", hashes.SHA256(), 32),
        Algorithm("ES384", -35, "secp384r1", hashes.SHA384(), 48),
        Algorithm("ES512", -36, "secp521r1", hashes.SHA512(), 66),
    )
}
_HEADERS = {name: cbor.dumps({1: algorithm.id}) for name, algorithm in _ALGORITHMS.items()}


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 message as it was read; nothing about it has been verified.

    ``protected`` is the encoded protected header, as signed; ``signature`` is r ‖ s. ``spans``
    gives the byte range of ``message`` and of each of the four parts.
    """

    protected: bytes
    unprotected: Mapping[Any, Any] | None
    payload: bytes
    signature: bytes
    tagged: bool
    spans: Mapping[str, Span]

    def protected_header(self) -> Mapping[Any, Any]:
        """Return the protected header's map. Raises `EncodingError` where it is not one."""
        header = cbor.loads_strict(self.protected) if self.protected else {}
        if not isinstance(header, dict):
            raise EncodingError(
                f"a protected header that is {type(header).__name__}",
                expected="a map (RFC 9052 §3)",
                offset=self.spans["protected"].content,
            )
        return header


def read_sign1(
    data: bytes, *, limits: cbor.Limits = cbor.DEFAULT_LIMITS
) -> tuple[Sign1, EncodingError | None]:
    """Return the message, and what is wrong with its headers but does not stop reading.

    Raises `EncodingError` where the four parts cannot be told apart.
    """
    item = cbor.scan(data, limits=limits, tags=frozenset({COSE_SIGN1_TAG}))
    tagged = item.kind == "tag"
    body = item.children[0] if tagged else item
    if body.kind != "array" or body.argument != len(_PARTS):
        raise EncodingError(
            f"{body.kind} of {'indefinite' if body.argument is None else body.argument}"
            if body.kind in ("array", "map")
            else body.kind,
            expected="a COSE_Sign1: an array of four (RFC 9052 §4.2)",
            offset=body.start,
            next="Give the document itself, as the NSM returned it.",
        )
    for name, part in zip(_PARTS, body.children, strict=True):
        if name != "unprotected" and part.kind != "bytes":
            raise EncodingError(
                f"{name} that is {part.kind}",
                expected=f"{name} as a byte string (RFC 9052 §4.2)",
                offset=part.start,
            )
    # The values are read without the tag: inside one, cbor2 makes its containers immutable.
    protected, unprotected, payload, signature = cbor.value_of(data, body, limits=limits)
    spans = {
        name: Span(part.start, part.content, part.end)
        for name, part in zip(_PARTS, body.children, strict=True)
    }
    spans["message"] = Span(item.start, item.content, item.end)
    is_map = isinstance(unprotected, dict)
    message = Sign1(protected, unprotected if is_map else None, payload, signature, tagged, spans)
    return message, _header_trouble(message, body.children[1])


def _header_trouble(message: Sign1, unprotected: cbor.Item) -> EncodingError | None:
    if unprotected.kind != "map":
        return EncodingError(
            f"unprotected header that is {unprotected.kind}",
            expected="a map, empty or not (RFC 9052 §3)",
            offset=unprotected.start,
        )
    try:
        message.protected_header()
    except EncodingError as error:
        return EncodingError(
            f"protected header: {error.found}",
            expected=error.expected,
            offset=message.spans["protected"].content + (error.offset or 0),
        )
    return None


def parse_sign1(data: bytes, *, limits: cbor.Limits = cbor.DEFAULT_LIMITS) -> Sign1:
    """Return the COSE_Sign1 message that ``data`` is, tagged (18) or not; verifies nothing.

    Raises `EncodingError` with the byte offset for anything else: other lengths, other types,
    trailing bytes, duplicate keys, chunked strings.
    """
    message, trouble = read_sign1(data, limits=limits)
    if trouble is not None:
        raise trouble
    return message


def algorithm_of(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> Algorithm:
    """Return the algorithm that goes with the key's curve. Raises `EncodingError` for others."""
    curve = key.curve.name
    if curve not in _ALGORITHMS:
        raise EncodingError(f"a key on {curve}", expected="P-256, P-384 or P-521", where="key")
    return _ALGORITHMS[curve]


def verify_sign1(message: Sign1, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Say whether the signature over the message as it was read holds, by OpenSSL.

    False also where the protected header is not exactly the algorithm that the key's curve has,
    and where r ‖ s has another length. The twin (r, n - s) of a good signature is good too: ECDSA
    cannot tell them apart, so a document's bytes are not a unique name for it.
    """
    algorithm = algorithm_of(public_key)
    if len(message.signature) != 2 * algorithm.size:
        return False
    if message.protected != _HEADERS[algorithm.curve]:
        return False
    from nitro_workflow.encoding import _pycose

    r = int.from_bytes(message.signature[: algorithm.size], "big")
    s = int.from_bytes(message.signature[algorithm.size :], "big")
    try:
        public_key.verify(
            encode_dss_signature(r, s),
            _pycose.sig_structure(message.protected, message.payload),
            ec.ECDSA(algorithm.hash),
        )
    except InvalidSignature:
        return False
    return True


def build_sign1(
    payload: bytes, sign_key: ec.EllipticCurvePrivateKey, *, deterministic: bool = False
) -> bytes:
    """Return an untagged COSE_Sign1 over ``payload``, its algorithm chosen by the key's curve.

    ``deterministic`` takes the nonce from RFC 6979, for images whose bytes must repeat. Raises
    `EncodingError` for a curve that COSE does not name.
    """
    from nitro_workflow.encoding import _pycose

    algorithm = algorithm_of(sign_key)
    scheme = ec.ECDSA(algorithm.hash, deterministic_signing=deterministic)

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(sign_key.sign(message, scheme))
        return r.to_bytes(algorithm.size, "big") + s.to_bytes(algorithm.size, "big")

    return _pycose.build(payload, _HEADERS[algorithm.curve], sign)
