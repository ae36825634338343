"""Signatures: made as AWS's, verified step by step, and repeated to the byte."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.encoding import cose
from nitro_workflow.errors import ImageError, ImageRefused
from nitro_workflow.image import (
    KmsSigningKey,
    measure_file,
    open_image,
    signing_key_from_pem,
    verify_signature,
)
from nitro_workflow.image.build.signing_key import KMS_ARN
from nitro_workflow.image.format.signature_section import (
    SignatureSection,
    certificate_der,
    parse_signature_section,
    pcr0_payload,
)
from nitro_workflow.image.inspect.measure import pcr_of
from tests.image.conftest import CURVES, NOW, UNHURRIED, key_and_certificate


def verified(path, at=NOW):
    with open_image(path) as image:
        return verify_signature(image, measure_file(path), at=at)


@pytest.mark.parametrize("curve", CURVES)
def test_a_signed_image_verifies_and_repeats(small, pairs, curve):
    key = signing_key_from_pem(*pairs[curve])
    first = small(key).read_bytes()
    path = small(key)
    assert path.read_bytes() == first
    result = verified(path)
    der = x509.load_pem_x509_certificate(pairs[curve][0]).public_bytes(serialization.Encoding.DER)
    assert result.pcr8 == measure_file(path).pcr8 == pcr_of(der)
    assert result.pcr8 == hashlib.sha384(bytes(48) + hashlib.sha384(der).digest()).digest()
    assert result.certificate.serial_number == 7


@pytest.mark.parametrize("curve", CURVES)
def test_the_section_is_aws_shape(small, pairs, curve):
    with open_image(small(signing_key_from_pem(*pairs[curve]))) as image:
        section = image.signature_section
    [entry] = cbor2.loads(section)
    assert list(entry) == ["signing_certificate", "signature"]
    assert bytes(entry["signing_certificate"]) == pairs[curve][0]
    assert cbor2.dumps([entry]) == section
    protected, unprotected, payload, signature = cbor2.loads(bytes(entry["signature"]))
    assert cbor2.loads(protected) == {1: {"P-256": -7, "P-384": -35, "P-521": -36}[curve]}
    assert unprotected == {}
    assert list(cbor2.loads(payload)) == ["register_index", "register_value"]
    assert len(signature) == {"P-256": 64, "P-384": 96, "P-521": 132}[curve]


def test_the_payload_is_serdes():
    # pcr_info_bytes_match_0_8_0 in src/utils/cbor.rs of the crate
    assert pcr0_payload(bytes(range(48))).hex() == (
        "a26e72656769737465725f696e646578006e72656769737465725f76616c756598300001020304050607"
        "08090a0b0c0d0e0f101112131415161718181819181a181b181c181d181e181f1820182118221823182418"
        "251826182718281829182a182b182c182d182e182f"
    )


@given(st.binary(max_size=300), st.binary(max_size=300))
@UNHURRIED
def test_sections_round_trip_and_agree_with_cbor2(certificate, message):
    packed = SignatureSection(certificate, message).pack()
    assert parse_signature_section(packed) == SignatureSection(certificate, message)
    assert cbor2.loads(packed) == [
        {"signing_certificate": list(certificate), "signature": list(message)}
    ]


@given(st.binary(max_size=200))
@UNHURRIED
def test_any_bytes_are_a_section_or_an_image_error(data):
    for candidate in (data, SignatureSection(b"c", b"s").pack()[:-1] + data):
        with contextlib.suppress(ImageError):
            parse_signature_section(candidate)


def test_sections_that_are_not_one():
    good = {"signing_certificate": [1], "signature": [2]}
    bad = [
        [], [good, good], good, [[good]], [{**good, "x": []}],
        [{"signing_certificate": b"1", "signature": [2]}],
        [{"signing_certificate": [256], "signature": [2]}],
        [{"signing_certificate": [-1], "signature": [2]}],
        [{"signature": [1]}], [{"a": [1], "b": [2]}],
    ]  # fmt: skip
    for value in bad:
        with pytest.raises(ImageError):
            parse_signature_section(cbor2.dumps(value))
    with pytest.raises(ImageError, match="after the end"):
        parse_signature_section(cbor2.dumps([good]) + b"\0")
    with pytest.raises(ImageError, match="at most 32768"):
        parse_signature_section(bytes(32769))
    indefinite = b"\x9f" + cbor2.dumps(good) + b"\xff"
    with pytest.raises(ImageError, match="definite"):
        parse_signature_section(indefinite)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----", b"x" * 100])
def test_certificates_that_are_not_pem(pem):
    with pytest.raises(ImageError):
        certificate_der(pem)
    for body in (b"%%%", b"", b"AAA"):
        whole = b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
        with pytest.raises(ImageError):
            signing_key_from_pem(whole, b"")


def test_every_byte_of_a_signature_counts(small, pairs):
    path = small(signing_key_from_pem(*pairs["P-256"]))
    measured = measure_file(path)
    with open_image(path) as image:
        place = image.sections[-1]
    data = path.read_bytes()
    unseen = set()
    for at in range(place.data_offset, place.end):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            with open_image(io.BytesIO(bytes(changed))) as image:
                verify_signature(image, measured, at=NOW)
        except (ImageError, ImageRefused):
            continue
        unseen.add(at)
    # Only text around the certificate's base64 may differ: PEM's own armour and line ends.
    assert len(unseen) < 120
    with open_image(path) as image:
        section = parse_signature_section(image.signature_section)
    assert cose.parse_sign1(section.cose).payload == pcr0_payload(measured.pcr0)


def test_unsigned_moved_and_expired(small, pairs, tmp_path):
    with pytest.raises(ImageRefused, match="no signature section"):
        verified(small())
    path = small(signing_key_from_pem(*pairs["P-384"]))
    with open_image(path) as image:
        section = image.sections[-1]
        signature = image.source.read_exactly(section.offset, section.size + 12)
    other = small(kernel=b"another kernel")
    moved = bytearray(other.read_bytes() + signature)
    moved[27] += 1
    (tmp_path / "moved.eif").write_bytes(moved)
    with pytest.raises(ImageRefused, match="over something else"):
        verified(tmp_path / "moved.eif")
    path = small(signing_key_from_pem(*pairs["P-384"]))
    for at in (NOW - dt.timedelta(days=2), NOW + dt.timedelta(days=365 * 21)):
        with pytest.raises(ImageRefused, match="2026-05-31") as error:
            verified(path, at)
        assert error.value.where == "signing certificate, validity"


def test_another_certificate_with_the_same_subject(small, pairs):
    path = small(signing_key_from_pem(*pairs["P-384"]))
    other, _ = key_and_certificate("P-384")
    with open_image(path) as image:
        section = image.sections[-1]
        parsed = parse_signature_section(image.signature_section)
    data = bytearray(path.read_bytes()[: section.data_offset])
    forged = SignatureSection(other, parsed.cose).pack()
    data[section.offset + 4 :] = len(forged).to_bytes(8, "big")
    path.write_bytes(bytes(data) + forged)
    with pytest.raises(ImageRefused, match="does not hold"):
        verified(path)


def test_keys_that_cannot_sign(pairs):
    certificate, key = pairs["P-256"]
    with pytest.raises(ImageRefused, match="not the certificate's"):
        signing_key_from_pem(certificate, pairs["P-384"][1])
    with pytest.raises(ImageError, match="cannot be read"):
        signing_key_from_pem(certificate, b"x")
    with pytest.raises(ImageError, match="cannot be read"):
        signing_key_from_pem(certificate, certificate)
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = numbers.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ImageError, match="expected an EC key"):
        signing_key_from_pem(certificate, pem)
    assert "BEGIN" not in repr(signing_key_from_pem(certificate, key))


class _Kms:
    """What a KMS does with Sign, in a few lines."""

    def __init__(self, private_pem: bytes) -> None:
        self.key = serialization.load_pem_private_key(private_pem, None)
        self.calls: list[dict] = []

    def sign(self, **parameters):
        self.calls.append(parameters)
        size = parameters["SigningAlgorithm"].rpartition("_")[2]
        algorithm = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[size]
        signed = self.key.sign(parameters["Message"], ec.ECDSA(Prehashed(algorithm)))
        return {"Signature": signed}


@pytest.mark.parametrize("curve", CURVES)
def test_signing_with_kms(small, pairs, curve):
    kms = _Kms(pairs[curve][1])
    arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    path = small(KmsSigningKey(pairs[curve][0], arn, kms))
    assert verified(path).pcr8 == measure_file(path).pcr8
    [call] = kms.calls
    assert call["KeyId"] == arn
    assert call["MessageType"] == "DIGEST"
    with pytest.raises(ImageRefused, match="not the certificate's"):
        small(KmsSigningKey(key_and_certificate(curve)[0], arn, kms))


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("arn:aws:kms:us-east-1:123456789012:key/1234abcd", "us-east-1"),
        ("arn:aws:kms:us-east-1:123456789012:key:1234abcd", "us-east-1"),
        ("arn:aws-cn:kms:cn-north-1:123456789012:key/abcd1234", "cn-north-1"),
        ("arn:aws:kms:us-east-1:12345:key/a", None),
        ("arn:aws:s3:us-east-1:123456789012:key/a", None),
        ("/home/me/key.pem", None),
    ],
)
def test_arns(text, region):
    found = KMS_ARN.fullmatch(text)
    assert (found["region"] if found else None) == region
