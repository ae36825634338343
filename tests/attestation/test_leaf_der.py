"""Leaves whose DER is bent and then signed again, so that the signature is no help to the reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitro_workflow.attestation import Verifier
from nitro_workflow.attestation.certificate import ECDSA_WITH_SHA384, parse_certificate
from nitro_workflow.errors import CertificateError
from tests.attestation import forge
from tests.attestation.conftest import NOW

CHAIN = forge.make_chain()
LEAF = x509.load_der_x509_certificate(CHAIN.ders[4])
TBS = LEAF.tbs_certificate_bytes
KEY = LEAF.public_key()
assert isinstance(KEY, ec.EllipticCurvePublicKey)
SPKI = KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
POINT = KEY.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
COMPRESSED = KEY.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
VERSION = bytes.fromhex("a003020102")


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def content(der: bytes) -> bytes:
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


FIELDS = content(TBS)
SERIAL = FIELDS[len(VERSION) : len(VERSION) + 2 + FIELDS[len(VERSION) + 1]]


def signed(fields: bytes, algorithm: bytes = ECDSA_WITH_SHA384, after: bytes = b"") -> bytes:
    tbs = tlv(0x30, fields)
    signature = CHAIN.keys[3].sign(tbs, ec.ECDSA(SHA384()))
    return tlv(0x30, tbs + algorithm + tlv(3, b"\0" + signature)) + after


def swapped(old: bytes, new: bytes) -> Callable[[], bytes]:
    assert old in FIELDS
    return lambda: signed(FIELDS.replace(old, new, 1))


def key(point: bytes) -> Callable[[], bytes]:
    return swapped(SPKI, tlv(0x30, SPKI[2 : 2 + 18] + tlv(3, b"\0" + point)))


BENT: dict[str, Callable[[], bytes]] = {
    "negative serial": swapped(SERIAL, b"\x02\x01\xff"),
    "serial zero": swapped(SERIAL, b"\x02\x01\x00"),
    "padded serial": swapped(SERIAL, b"\x02\x03\x00\x00\x01"),
    "serial of 40 bytes": swapped(SERIAL, b"\x02\x28" + b"\x01" * 40),
    "serial of 21 bytes": swapped(SERIAL, b"\x02\x15" + b"\x01" * 21),
    "trailing byte": lambda: signed(FIELDS, after=b"\0"),
    "algorithm with NULL": lambda: signed(FIELDS, bytes.fromhex("300c06082a8648ce3d0403030500")),
    "outer algorithm SHA-512": lambda: signed(FIELDS, bytes.fromhex("300a06082a8648ce3d040304")),
    "inner algorithm SHA-256": swapped(
        ECDSA_WITH_SHA384, bytes.fromhex("300a06082a8648ce3d040302")
    ),
    "version 1": swapped(VERSION, b""),
    "version 4": swapped(VERSION, bytes.fromhex("a003020103")),
    "compressed point": key(COMPRESSED),
    "hybrid point": key(bytes([6 + (POINT[-1] & 1)]) + POINT[1:]),
    "point at infinity": key(b"\0"),
    "point of zeros": key(b"\x04" + bytes(96)),
    "point off the curve": key(POINT[:-1] + bytes([POINT[-1] ^ 1])),
}


def judged(leaf: bytes):
    document = forge.document(forge.Chain((*CHAIN.ders[:4], leaf), CHAIN.keys))
    return Verifier.local(CHAIN.root).explain(document, at=NOW)


def test_the_same_leaf_signed_again_is_believed() -> None:
    assert judged(signed(FIELDS)).accepted
    assert judged(swapped(SERIAL, b"\x02\x15\x00" + b"\xf1" * 20)()).accepted  # as AWS's are


@pytest.mark.parametrize("name", BENT)
def test_a_bent_leaf_is_refused_in_words(name: str) -> None:
    report = judged(BENT[name]())
    assert not report.accepted
    assert "chain" in report.failed
    step = report.step("chain")
    assert step.where == "certificate"
    assert "ParseError" not in step.found + step.expected
    assert "elements" not in step.found
    # a chain that does not hold ends nowhere
    assert report.step("root").status == "skipped"


def test_every_cut_of_a_leaf_is_said_in_words() -> None:
    leaf = CHAIN.ders[4]  # its length is not always the same: a number may begin with zeros
    for cut in range(len(leaf)):
        with pytest.raises(CertificateError) as caught:
            parse_certificate(leaf[:cut])
        assert "ParseError" not in caught.value.found
        assert "{" not in caught.value.found
        assert "certificate" in caught.value.found or "signature" in caught.value.found
