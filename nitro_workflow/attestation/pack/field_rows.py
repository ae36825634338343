"""Defects of the fields, and what of them genuine documents have."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from cryptography import x509

from nitro_workflow.attestation.pack.document_forge import MODULE, PCRS, DocumentForge
from nitro_workflow.attestation.pack.pack_row import Row, row
from nitro_workflow.encoding import cbor

__all__ = ["FIELD_ROWS"]

_AWS = "AWS attestation_process.md"
_MANDATORY = f"{_AWS} §3.2.2.1: mandatory, not null"
_CONTENT = f"{_AWS} §3.2.2.2"
_SIZES = f"{_AWS} §2.2: user_data = bytes .size (0..1024)"
_LONG_COMMENT = (
    (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), bytes(900)), False),
)
_FLOAT = b"\xfb" + struct.pack(">d", 1768478398345.0)

Make = Callable[[DocumentForge], bytes]


def _with(**changes: Any) -> Make:
    return lambda f: f.document(**changes)


def _pcrs(**changes: bytes) -> Make:
    """Return a document with PCRs added or changed: ``p5=…``."""
    return _with(pcrs={**PCRS, **{int(name[1:]): value for name, value in changes.items()}})


def _float_time(f: DocumentForge) -> bytes:
    good = cbor.dumps(f.timestamp)
    return f.message(cbor.dumps(f.fields()).replace(b"timestamp" + good, b"timestamp" + _FLOAT))


_MISSING = tuple(
    row(f"{name}-{how}", "refuse", "fields", f"{name} {how}", _MANDATORY,
        _with(**{name: value}))
    for name in ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")
    for how, value in (("missing", ...), ("null", None))
)  # fmt: skip

FIELD_ROWS: tuple[Row, ...] = (
    *_MISSING,
    row("module-id-empty", "refuse", "fields", "module_id of no characters", _CONTENT,
        _with(module_id="")),
    row("module-id-bytes", "refuse", "fields", "module_id as a byte string", _CONTENT,
        _with(module_id=MODULE.encode())),
    row("digest-sha256", "refuse", "fields", "digest SHA256", _CONTENT, _with(digest="SHA256")),
    row("digest-sha512", "refuse", "fields", "digest SHA512", _CONTENT, _with(digest="SHA512")),
    row("digest-lower-case", "refuse", "fields", "digest sha384", _CONTENT, _with(digest="sha384")),
    row("timestamp-zero", "refuse", "fields", "timestamp 0", _CONTENT, _with(timestamp=0),
        max_age=None),
    row("timestamp-negative", "refuse", "fields", "timestamp -1", _CONTENT, _with(timestamp=-1),
        max_age=None),
    row("timestamp-text", "refuse", "fields", "timestamp as text", _CONTENT,
        lambda f: f.document(timestamp=str(f.timestamp)), max_age=None),
    row("timestamp-float", "refuse", "fields", "timestamp as a floating-point number", _CONTENT,
        _float_time, max_age=None),
    row("pcrs-empty", "refuse", "fields", "no PCR at all", _CONTENT, _with(pcrs={}), pcrs={}),
    row("pcrs-array", "refuse", "fields", "PCRs as an array", _CONTENT,
        _with(pcrs=[PCRS[index] for index in range(16)])),
    row("pcrs-33", "refuse", "fields", "33 PCRs, indices 0 to 32", _CONTENT,
        _with(pcrs={**PCRS, **{index: bytes(48) for index in range(16, 33)}})),
    row("pcr-index-32", "refuse", "fields", "a PCR of index 32", _CONTENT, _pcrs(p32=bytes(48))),
    row("pcr-index-256", "refuse", "fields", "a PCR of index 256: 0 in one byte", _CONTENT,
        _pcrs(p256=bytes([9]) * 48)),
    row("pcr-index-negative", "refuse", "fields", "a PCR of index -1", _CONTENT,
        _with(pcrs={**PCRS, -1: bytes(48)})),
    row("pcr-index-text", "refuse", "fields", 'PCRs whose indices are text, "0" to "15"', _CONTENT,
        _with(pcrs={str(index): value for index, value in PCRS.items()})),
    row("pcr-short", "refuse", "fields", "PCR5 of 47 bytes", _CONTENT, _pcrs(p5=bytes(47))),
    row("pcr-long", "refuse", "fields", "PCR5 of 49 bytes", _CONTENT, _pcrs(p5=bytes(49))),
    row("pcr-empty", "refuse", "fields", "PCR5 of no bytes", _CONTENT, _pcrs(p5=b"")),
    row("pcr-sha1", "refuse", "fields", "PCR5 of 20 bytes", _CONTENT, _pcrs(p5=bytes(20))),
    row("pcr-text", "refuse", "fields", "PCR5 as hex digits in text", _CONTENT,
        _with(pcrs={**PCRS, 5: "00" * 48})),
    row("pcr-cut-to-the-prefix", "refuse", "fields",
        "PCR0 is the expected one's first 40 bytes", _CONTENT, _pcrs(p0=PCRS[0][:40])),
    row("cabundle-empty", "refuse", "fields", "no certificate above the leaf", _CONTENT,
        _with(cabundle=[])),
    row("cabundle-one-string", "refuse", "fields", "bundle as one byte string", _CONTENT,
        lambda f: f.document(cabundle=b"".join(f.chain.ders[:4]))),
    row("cabundle-empty-entry", "refuse", "fields", "an empty certificate in the bundle", _CONTENT,
        lambda f: f.document(cabundle=[*f.chain.ders[:4], b""])),
    row("cabundle-long-entry", "refuse", "fields", "a certificate of more than 1,024 bytes",
        _CONTENT, lambda f: f.bent(2, extensions=_LONG_COMMENT)),
    row("certificate-long", "refuse", "fields", "leaf of more than 1,024 bytes",
        f"{_AWS} §2.2: cert = bytes .size (1..1024)",
        lambda f: f.bent(4, extensions=_LONG_COMMENT)),
    row("certificate-empty", "refuse", "fields", "leaf of no bytes",
        f"{_AWS} §2.2: cert = bytes .size (1..1024)", _with(certificate=b"")),
    row("user-data-long", "refuse", "fields", "user_data of 1,025 bytes", _SIZES,
        _with(user_data=bytes(1025))),
    row("nonce-long", "refuse", "fields", "nonce of 1,025 bytes", _SIZES,
        _with(nonce=bytes(1025)), nonce=bytes(1025)),
    row("public-key-long", "refuse", "fields", "public_key of 1,025 bytes", _SIZES,
        _with(public_key=bytes(1025))),
    row("user-data-text", "refuse", "fields", "user_data as text", _CONTENT,
        _with(user_data="text")),
    row("nonce-number", "refuse", "fields", "nonce as a number", _CONTENT, _with(nonce=7),
        nonce=None),
    # What genuine documents have.
    row("good", "accept", "fields", "nothing: a document as AWS's are", _AWS, _with()),
    row("optional-null", "accept", "fields", "public_key, user_data, nonce null",
        "AWS's documents write null for what is not given",
        _with(public_key=None, user_data=None, nonce=None), nonce=None),
    row("optional-missing", "accept", "fields", "no public_key, user_data, nonce",
        f"{_AWS} §3.2.2.1: optional", _with(public_key=..., user_data=..., nonce=...), nonce=None),
    row("optional-1024", "accept", "fields", "1,024 bytes in each of the three",
        f"{_SIZES}; §3.2.2.2 says 512, and AWS's documents have 1,024",
        _with(public_key=bytes(1024), user_data=bytes(1024), nonce=bytes(1024)),
        nonce=bytes(1024)),
    row("nonce-empty", "accept", "nonce", "an empty nonce, where an empty one is expected", _SIZES,
        _with(nonce=b""), nonce=b""),
    row("pcrs-17", "accept", "fields", "17 PCRs: PCR16 was locked", f"{_CONTENT}: up to 32",
        _pcrs(p16=bytes([1]) * 48)),
    row("pcrs-32", "accept", "fields", "32 PCRs", f"{_CONTENT}: up to 32",
        _with(pcrs={**PCRS, **{index: bytes([index]) * 48 for index in range(16, 32)}})),
    row("signed-image", "accept", "pcrs", "PCR8 of a signed image", "AWS user guide, PCR8",
        _pcrs(p8=PCRS[1]), pcrs={**{index: PCRS[index] for index in (0, 1, 2)}, 8: PCRS[1]}),
    # What nothing decides.
    row("public-key-empty", "may", "fields", "public_key of no bytes", _CONTENT,
        _with(public_key=b""), "§3.2.2.2 says 1 to 1,024, §2.2 says 0, a genuine document has 0"),
    row("pcr-64-bytes", "may", "fields", "PCR5 of 64 bytes, with digest SHA384", _CONTENT,
        _pcrs(p5=bytes(64)), "§3.2.2.2 allows 32, 48 and 64; SHA-384 gives 48"),
    row("field-unknown", "may", "fields", "one field more than AWS names", f"{_AWS} §3.2.2.1",
        _with(zz_new=b"new"), "the list is of allowed fields; no rule says what others do"),
    row("nitrotpm", "may", "fields", "a NitroTPM document: nitrotpm_pcrs in place of pcrs",
        "AWS EC2 user guide, NitroTPM attestation",
        _with(pcrs=..., nitrotpm_pcrs={4: PCRS[4]}), "another kind: who verifies enclaves refuses",
        pcrs={}),
)  # fmt: skip
