"""Defects of the envelope, and of how CBOR is written."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from nitro_workflow.attestation.pack.document_forge import ES384, DocumentForge, bstr
from nitro_workflow.attestation.pack.pack_row import Row, row
from nitro_workflow.encoding import cbor

__all__ = ["ENCODING_ROWS"]

_AWS = "AWS attestation_process.md"
_SHAPE = f"{_AWS} §3.1; RFC 9052 §4.2"
_PREFERRED = "RFC 8949 §4.1 (preferred, not required)"
_MANY = "well-formed, and signed as it is; a verifier may want one spelling only"

Make = Callable[[DocumentForge], bytes]


def _part(position: int, item: bytes) -> Make:
    """Replace one part after signing."""

    def make(f: DocumentForge) -> bytes:
        parts = f.split()
        parts[position] = item
        return f.parts(*parts)

    return make


def _raw_map(change: Callable[[list[bytes]], bytes]) -> Make:
    """Sign a payload whose map is written otherwise; ``change`` gets key and value encodings."""

    def make(f: DocumentForge) -> bytes:
        pairs = [cbor.dumps(part) for pair in f.fields().items() for part in pair]
        return f.message(change(pairs))

    return make


def _twice(field: str, value: Any, *, first: bool) -> Make:
    """Write a field a second time, before or after the good one."""
    extra = cbor.dumps(field) + cbor.dumps(value)

    def change(pairs: list[bytes]) -> bytes:
        body = b"".join(pairs)
        return b"\xaa" + (extra + body if first else body + extra)

    return _raw_map(change)


def _pcr_twice(f: DocumentForge) -> bytes:
    fields = f.fields()
    pcrs = cbor.dumps(fields["pcrs"])
    doubled = bytes([pcrs[0] + 1]) + pcrs[1:] + cbor.dumps(0) + bstr(bytes([9]) * 48)
    return f.message(cbor.dumps(fields).replace(pcrs, doubled))


def _long_head(f: DocumentForge) -> bytes:
    """Write the digest's length in two bytes where a nibble does."""
    short, long = b"\x66SHA384", b"\x78\x06SHA384"
    return f.message(cbor.dumps(f.fields()).replace(short, long))


def _chunked(f: DocumentForge) -> bytes:
    short, chunks = b"\x66SHA384", b"\x7f\x63SHA\x63384\xff"
    return f.message(cbor.dumps(f.fields()).replace(short, chunks))


ENCODING_ROWS: tuple[Row, ...] = (
    # The envelope.
    row("payload-nil", "refuse", "shape", "payload detached: null", _SHAPE, _part(2, b"\xf6")),
    row("payload-empty", "refuse", "shape", "payload of no bytes", f"{_SHAPE}: 1 to 16384 bytes",
        lambda f: f.message(b"")),
    row("payload-too-long", "refuse", "shape", "payload of more than 16,384 bytes",
        f"{_AWS} §3.1: 1 to 16384 bytes", lambda f: f.document(unknown=bytes(16384))),
    row("payload-not-wrapped", "refuse", "shape", "payload as a map, not in a byte string", _SHAPE,
        lambda f: f.parts(bstr(ES384), b"\xa0", cbor.dumps(f.fields()), f.split()[3])),
    row("payload-array", "refuse", "shape", "payload that is an array",
        f"{_AWS} §2.2", lambda f: f.message(cbor.dumps(list(f.fields().values())))),
    row("protected-not-wrapped", "refuse", "shape", "protected header as a map", _SHAPE,
        _part(0, ES384)),
    row("unprotected-null", "refuse", "shape", "unprotected header null", _SHAPE,
        _part(1, b"\xf6")),
    row("three-parts", "refuse", "shape", "no signature at all", _SHAPE,
        lambda f: f.parts(*f.split()[:3])),
    row("five-parts", "refuse", "shape", "an array of five", _SHAPE,
        lambda f: f.parts(*f.split(), b"\xf6")),
    row("tag-mac0", "refuse", "shape", "tag 17, COSE_Mac0", "RFC 9052 §2, table 1",
        lambda f: b"\xd1" + f.document()),
    row("tag-18", "may", "shape", "tag 18, COSE_Sign1", f"{_AWS} §3.1: tagged or untagged",
        lambda f: b"\xd2" + f.document(), "AWS's text shows the tag, AWS's documents have none"),
    row("outer-indefinite", "may", "shape", "the message as an array of indefinite length",
        "RFC 8949 §3.2.2", lambda f: b"\x9f" + b"".join(f.split()) + b"\xff", _MANY),
    # CBOR.
    row("trailing-bytes", "refuse", "shape", "a byte after the message",
        f"{_AWS} §3.2; RFC 8949 appendix F: too much data", lambda f: f.document() + b"\0"),
    row("trailing-bytes-payload", "refuse", "shape", "a byte after the payload's map, signed",
        "RFC 8949 appendix F: too much data", lambda f: f.message(cbor.dumps(f.fields()) + b"\0")),
    row("cut-short", "refuse", "shape", "the last byte missing", "RFC 8949 appendix F",
        lambda f: f.document()[:-1]),
    row("no-bytes", "refuse", "shape", "an empty file", "RFC 8949 appendix F", lambda _: b""),
    row("base64", "refuse", "shape", "text where bytes are asked for", _SHAPE,
        lambda f: base64.b64encode(f.document())),
    row("field-twice-last", "refuse", "shape", "nonce twice, the expected one last",
        "RFC 8949 §5.6: not valid", _twice("nonce", b"another", first=True)),
    row("field-twice-first", "refuse", "shape", "nonce twice, the expected one first",
        "RFC 8949 §5.6: not valid", _twice("nonce", b"another", first=False)),
    row("pcr-twice", "refuse", "shape", "PCR0 twice, the expected one first",
        "RFC 8949 §5.6: not valid", _pcr_twice),
    row("long-heads", "may", "shape", "a length in more bytes than it needs", _PREFERRED,
        _long_head, _MANY),
    row("text-in-chunks", "may", "shape", "digest as text in two chunks", "RFC 8949 §3.2.3",
        _chunked, _MANY),
    row("map-indefinite", "accept", "shape", "payload as a map of indefinite length",
        "RFC 8949 §3.2.2; AWS's documents since 2025 are so",
        _raw_map(lambda pairs: b"\xbf" + b"".join(pairs) + b"\xff")),
    row("map-unordered", "accept", "shape", "the fields in another order",
        "RFC 8949 §3.1: a map has no order",
        lambda f: f.message(cbor.dumps(dict(reversed(f.fields().items()))))),
)  # fmt: skip
