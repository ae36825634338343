"""COSE_Sign1: both forms, three curves, agreement with pycose, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from pycose.keys import EC2Key
from pycose.messages import Sign1Message

from nitro_workflow.encoding import _pycose, cose
from nitro_workflow.errors import EncodingError

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]
KEY = ec.generate_private_key(ec.SECP384R1())


def pycose_accepts(message: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    """The second opinion: pycose's own verification, by python-ecdsa."""
    numbers = key.public_numbers()
    size = (key.curve.key_size + 7) // 8
    names = {"secp256r1": "P_256", "secp384r1": "P_384", "secp521r1": "P_521"}
    peer: Any = Sign1Message.from_cose_obj(cbor2.loads(message), allow_unknown_attributes=True)
    peer.key = EC2Key(
        crv=names[key.curve.name],
        x=numbers.x.to_bytes(size, "big"),
        y=numbers.y.to_bytes(size, "big"),
    )
    return bool(peer.verify_signature())


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("deterministic", [False, True])
def test_what_we_sign_holds_here_and_in_pycose(
    curve: ec.EllipticCurve, deterministic: bool
) -> None:
    key = ec.generate_private_key(curve)
    message = cose.build_sign1(b"payload", key, deterministic=deterministic)
    parsed = cose.parse_sign1(message)
    assert not parsed.tagged
    assert parsed.payload == b"payload"
    assert cose.verify_sign1(parsed, key.public_key())
    assert pycose_accepts(message, key.public_key())
    again = cose.build_sign1(b"payload", key, deterministic=deterministic)
    assert (again == message) is deterministic


def test_tagged_and_untagged_are_read() -> None:
    message = cose.build_sign1(b"p", KEY)
    parsed = cose.parse_sign1(b"\xd2" + message)
    assert parsed.tagged
    assert cose.verify_sign1(parsed, KEY.public_key())
    span = parsed.spans["payload"]
    assert (b"\xd2" + message)[span.content : span.end] == b"p"


def test_another_key_or_curve_does_not_verify() -> None:
    parsed = cose.parse_sign1(cose.build_sign1(b"p", KEY))
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    assert not cose.verify_sign1(parsed, other)
    assert not cose.verify_sign1(parsed, ec.generate_private_key(ec.SECP256R1()).public_key())


@pytest.mark.parametrize("signature", [bytes(96), b"\xff" * 96, bytes(95), b""])
def test_degenerate_signatures_do_not_verify(signature: bytes) -> None:
    message = cbor2.dumps([bytes.fromhex("a1013822"), {}, b"p", signature])
    assert not cose.verify_sign1(cose.parse_sign1(message), KEY.public_key())


@pytest.mark.parametrize(
    "header", [b"", bytes.fromhex("a0"), bytes.fromhex("a10126"), bytes.fromhex("bf013822ff")]
)
def test_another_protected_header_does_not_verify(header: bytes) -> None:
    r_s = cose.parse_sign1(cose.build_sign1(b"p", KEY)).signature
    parsed = cose.parse_sign1(cbor2.dumps([header, {}, b"p", r_s]))
    assert not cose.verify_sign1(parsed, KEY.public_key())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([b"", {}, b""], "array of 3"),
        ([b"", {}, b"", b"", b""], "array of 5"),
        ({}, "map of 0"),
        (b"bytes", "bytes"),
        ([{}, {}, b"", b""], "protected that is map"),
        ([b"", None, b"", b""], "unprotected header that is null"),
        ([b"", {}, None, b""], "payload that is null"),
        ([b"", {}, b"", "text"], "signature that is text"),
        ([b"\x01", {}, b"", b""], "protected header that is int"),
        ([b"\xa1\x01", {}, b"", b""], "as many entries"),
        (cbor2.CBORTag(98, [b"", {}, b"", b""]), "tag 98"),
    ],
)
def test_other_shapes_are_refused(value: object, text: str) -> None:
    with pytest.raises(EncodingError) as caught:
        cose.parse_sign1(cbor2.dumps(value))
    assert text in str(caught.value)


def test_an_outer_array_of_indefinite_length_is_refused() -> None:
    message = b"\x9f" + cose.build_sign1(b"p", KEY)[1:] + b"\xff"
    with pytest.raises(EncodingError, match="array of indefinite"):
        cose.parse_sign1(message)


def test_keys_of_other_curves_are_refused() -> None:
    with pytest.raises(EncodingError, match="secp256k1"):
        cose.build_sign1(b"p", ec.generate_private_key(ec.SECP256K1()))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(CURVES), st.lists(st.binary(max_size=200), min_size=2, max_size=4))
def test_messages_share_a_header_and_nothing_else(
    curve: ec.EllipticCurve, payloads: list[bytes]
) -> None:
    """What is signed is what a message of pycose's own, made anew for it, would have signed."""
    key = ec.generate_private_key(curve)
    messages = [cose.build_sign1(payload, key) for payload in payloads]
    for payload, message in zip(payloads, messages, strict=True):
        fresh: Any = Sign1Message.from_cose_obj(cbor2.loads(message), allow_unknown_attributes=True)
        assert fresh.payload == payload
        structure = _pycose.sig_structure(fresh.phdr_encoded, payload)
        assert structure == fresh._create_sig_structure()
        assert cose.verify_sign1(cose.parse_sign1(message), key.public_key())
        other = cbor2.dumps([fresh.phdr_encoded, {}, payload + b"x", fresh.signature])
        assert not cose.verify_sign1(cose.parse_sign1(other), key.public_key())


def test_threads_that_sign_at_once_do_not_meet() -> None:
    payloads = [bytes([number]) * 2000 for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(lambda payload: cose.build_sign1(payload, KEY), payloads))
        parsed = [cose.parse_sign1(message) for message in messages]
        held = pool.map(lambda message: cose.verify_sign1(message, KEY.public_key()), parsed)
        assert [message.payload for message in parsed] == payloads
        assert all(held)
