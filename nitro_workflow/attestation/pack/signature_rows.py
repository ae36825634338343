"""Defects of the signature, and of the headers that say how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from nitro_workflow.attestation.pack.bent_chain import P384_ORDER, sign_certificate
from nitro_workflow.attestation.pack.document_forge import ES384, DocumentForge, bstr
from nitro_workflow.attestation.pack.pack_row import Row, row
from nitro_workflow.encoding import cbor

__all__ = ["SIGNATURE_ROWS"]

_AWS = "AWS attestation_process.md"
_SIGNATURE = f"{_AWS} §3.2.1; RFC 9052 §4.4; RFC 9053 §2.1"
_ALGORITHM = f"{_AWS} §3.1: protected is {{1: -35}}; RFC 9052 §3.1"
_PREFERRED = "RFC 8949 §4.1 (preferred, not required)"

Make = Callable[[DocumentForge], bytes]


def _signature(change: Callable[[bytes], bytes]) -> Make:
    def make(f: DocumentForge) -> bytes:
        *parts, signature = f.split()
        return f.parts(*parts, bstr(change(signature[-96:])))

    return make


def _der(signature: bytes) -> bytes:
    r, s = (int.from_bytes(half, "big") for half in (signature[:48], signature[48:]))
    return encode_dss_signature(r, s)


def _twin(signature: bytes) -> bytes:
    s = P384_ORDER - int.from_bytes(signature[48:], "big")
    return signature[:48] + s.to_bytes(48, "big")


def _header(protected: bytes, unprotected: bytes = b"\xa0", **how: Any) -> Make:
    """Sign under other headers."""
    return lambda f: f.message(
        cbor.dumps(f.fields()), protected=protected, unprotected=unprotected, **how
    )


def _structure(*names: str, aad: bytes = b"") -> Make:
    """Sign another structure than the one that is asked for."""

    def make(f: DocumentForge) -> bytes:
        payload = cbor.dumps(f.fields())
        return f.message(payload, signed=cbor.dumps([*names, ES384, aad, payload]))

    return make


def _payload_changed(old: bytes, new: bytes) -> Make:
    return lambda f: f.document().replace(old, new)


def _es256(f: DocumentForge) -> bytes:
    """Return a document of a P-256 leaf, all of it as ES256 asks."""
    chain = f.chain_of(f.plan(4, curve=ec.SECP256R1()))
    payload = cbor.dumps(f.fields(chain))
    header = cbor.dumps({1: -7})
    return f.message(payload, key=chain.keys[4], protected=header, digest=SHA256())


def _another_leaf(f: DocumentForge) -> bytes:
    """Put another leaf of the same issuer in after signing."""
    plan, issuer = f.shape[4], f.shape[3].name
    key = f.keys("second leaf")(plan)
    leaf = sign_certificate(plan, key, issuer, f.chain.keys[3], f.at)
    protected, unprotected, _, signature = f.split()
    payload = cbor.dumps(f.fields(certificate=leaf))
    return f.parts(protected, unprotected, bstr(payload), signature)


_OTHER_MODULE = (
    b"i-0123456789abcdef0-enc0123456789abcdef",
    b"i-0123456789abcdef0-enc0123456789abcdee",
)
_NEAR = hashlib.sha384(b"another image").digest()

SIGNATURE_ROWS: tuple[Row, ...] = (
    # The signature.
    row("another-leafs-key", "refuse", "signature", "signed by the key of another leaf", _SIGNATURE,
        lambda f: f.document(key=f.other.keys[4])),
    row("instance-key", "refuse", "signature", "signed by the key of the leaf's issuer", _SIGNATURE,
        lambda f: f.document(key=f.chain.keys[3])),
    row("bit-changed", "refuse", "signature", "last bit of the signature changed", _SIGNATURE,
        _signature(lambda s: s[:-1] + bytes([s[-1] ^ 1]))),
    row("payload-changed", "refuse", "signature", "module_id changed after signing", _SIGNATURE,
        _payload_changed(*_OTHER_MODULE)),
    row("pcr0-changed", "refuse", "signature",
        "another image's PCR0 made the expected one after signing", _SIGNATURE,
        lambda f: f.document(pcrs={**f.fields()["pcrs"], 0: _NEAR}).replace(
            _NEAR, f.fields()["pcrs"][0])),
    row("certificate-changed", "refuse", "signature",
        "another good leaf of the same issuer put in after signing", _SIGNATURE,
        _another_leaf),
    row("zeros", "refuse", "signature", "r and s are zero", f"{_SIGNATURE}; FIPS 186-5 §6.4.2",
        _signature(lambda _: bytes(96))),
    row("truncated", "refuse", "shape", "signature of 95 bytes", _SIGNATURE,
        _signature(lambda s: s[:-1])),
    row("empty", "refuse", "shape", "signature of no bytes", _SIGNATURE, _signature(lambda _: b"")),
    row("padded", "refuse", "shape", "r and s of 49 bytes, a zero before each",
        f"{_SIGNATURE}: both as long as the key's size",
        _signature(lambda s: b"\0" + s[:48] + b"\0" + s[48:])),
    row("trailing-zero", "refuse", "shape", "a zero after r ‖ s", _SIGNATURE,
        _signature(lambda s: s + b"\0")),
    row("der", "refuse", "shape", "signature in DER, as X.509 has it", _SIGNATURE,
        _signature(_der)),
    row("swapped", "refuse", "signature", "s ‖ r", _SIGNATURE,
        _signature(lambda s: s[48:] + s[:48])),
    row("over-the-payload", "refuse", "signature", "signed over the payload alone", _SIGNATURE,
        lambda f: f.message(cbor.dumps(f.fields()), signed=cbor.dumps(f.fields()))),
    row("context-signature", "refuse", "signature", "signed with the context of COSE_Sign",
        _SIGNATURE, _structure("Signature")),
    row("external-data", "refuse", "signature", "signed with external data of one byte", _SIGNATURE,
        _structure("Signature1", aad=b"\0")),
    row("sha256", "refuse", "signature", "header says ES384, signed over SHA-256", _SIGNATURE,
        _header(ES384, digest=SHA256())),
    row("twin", "may", "signature", "the other signature of the same r, s replaced by n - s",
        "FIPS 186-5 §6.4.2", _signature(_twin), "a valid ECDSA signature; anyone can make it"),
    # The headers.
    row("es256-named", "refuse", "shape", "protected header ES256, signed as ES384", _ALGORITHM,
        _header(cbor.dumps({1: -7}))),
    row("es256", "refuse", "shape", "ES256 throughout: header, hash and a P-256 leaf", _ALGORITHM,
        _es256),
    row("alg-missing", "refuse", "shape", "protected header without alg", _ALGORITHM,
        _header(b"\xa0")),
    row("protected-empty", "refuse", "shape", "protected header of no bytes", _ALGORITHM,
        _header(b"")),
    row("alg-unprotected", "refuse", "shape", "alg in the unprotected header alone",
        f"{_ALGORITHM}: alg MUST be authenticated", _header(b"", cbor.dumps({1: -35}))),
    row("alg-as-text", "refuse", "shape", "alg is the text ES384", _ALGORITHM,
        _header(cbor.dumps({1: "ES384"}))),
    row("alg-twice", "refuse", "shape", "alg twice in the protected header",
        "RFC 9052 §3: labels MUST be unique", _header(bytes.fromhex("a2013822013822"))),
    row("crit-unknown", "refuse", "shape", "crit names a label that nobody knows",
        "RFC 9052 §3.1, crit: a fatal error", _header(cbor.dumps({1: -35, 2: [99], 99: 1}))),
    row("unprotected-content", "may", "shape", "a key id in the unprotected header",
        f"{_AWS} §3.1: nothing in unprotected", _header(ES384, cbor.dumps({4: b"key"})),
        "AWS says that there is nothing, not that a verifier must check it"),
    row("header-long-form", "may", "shape", "-35 in the protected header in three bytes",
        _PREFERRED, _header(bytes.fromhex("a101390022")),
        "well-formed, and signed as it is"),
)  # fmt: skip
