"""Recognition: every form in every wrapping, and never an exception."""

from __future__ import annotations

import base64
import gzip
import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.nsm.messages import (
    DescribeNsm,
    encode_attestation,
    encode_random,
    encode_request,
)
from nitro_workflow.widgets.recognising import recognise, recognise_value
from tests.conftest import VECTORS

DOCUMENT = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()
ENVELOPE = (VECTORS / "cms" / "aws_sdk_c_0" / "envelope.ber").read_bytes()
PRIVATE = (VECTORS / "cms" / "edgebit_sdk_go" / "key.pkcs8.der").read_bytes()
ROOT = (VECTORS / "roots" / "aws_nitro_root_g1.pem").read_bytes()
POLICY = json.loads((VECTORS / "policies" / "eks_wallet.json").read_bytes())
BASE64 = base64.b64encode(DOCUMENT)


@pytest.mark.parametrize(
    ("wrapped", "path"),
    [
        (DOCUMENT, ()),
        (b"\xd2" + DOCUMENT, ()),
        (DOCUMENT.hex().encode(), ("hex",)),
        (b"0x" + DOCUMENT.hex().upper().encode() + b"\n", ("hex",)),
        (BASE64, ("base64",)),
        (base64.encodebytes(DOCUMENT), ("base64",)),
        (base64.urlsafe_b64encode(DOCUMENT).rstrip(b"="), ("base64url",)),
        (b"\xef\xbb\xbf" + BASE64, ("base64",)),
        (json.dumps(BASE64.decode()).encode(), ("JSON", "base64")),
        (json.dumps({"a": {"attestation_doc": BASE64.decode()}}).encode(), ("JSON", "field a", "field attestation_doc", "base64")),
        (json.dumps({"document": list(DOCUMENT)}).encode(), ("JSON", "field document")),
        (repr(DOCUMENT).encode(), ("a Python bytes literal",)),
        (b"12:00:01 INFO attested doc=" + BASE64 + b" pid=7", ("base64 within the text",)),
        (b"-----BEGIN ATTESTATION-----\n" + base64.encodebytes(DOCUMENT) + b"-----END ATTESTATION-----\n", ("PEM, ATTESTATION",)),
        (gzip.compress(BASE64), ("gzip", "base64")),
        (encode_attestation(DOCUMENT), ("the NSM's answer",)),
        (encode_attestation(DOCUMENT).hex().encode(), ("hex", "the NSM's answer")),
        (json.dumps({"x": 1}).encode() + b"\n" + json.dumps({"doc": DOCUMENT.hex()}).encode(), ("JSON", "item 1", "field doc", "hex")),
    ],
)  # fmt: skip
def test_a_document_in_any_wrapping(wrapped, path):
    found = recognise(wrapped, name="it")
    assert (found.kind, found.data.removeprefix(b"\xd2"), found.path) == (
        "document",
        DOCUMENT,
        path,
    )
    assert found.name == "it"


def test_a_document_that_is_damaged_is_still_one():
    rng = random.Random(20261129)
    for _ in range(50):
        at = rng.randrange(8, len(DOCUMENT))
        assert (
            recognise(DOCUMENT[:at] + bytes([DOCUMENT[at] ^ 1]) + DOCUMENT[at + 1 :]).kind
            == "document"
        )
        assert recognise(DOCUMENT[:at]).kind == "document"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (ENVELOPE, "envelope"),
        (base64.b64encode(ENVELOPE), "envelope"),
        (ROOT, "certificates"),
        (ROOT + ROOT, "certificates"),
        (repr(ROOT).encode(), "certificates"),
        (base64.b64decode(b"".join(ROOT.split(b"\n")[1:-2])), "certificates"),
        (b".eif\x00\x04" + bytes(600), "eif"),
        (b"NWK1" + bytes(100), "kms-ciphertext"),
        (bytes.fromhex("0102020078") + bytes(150), "kms-ciphertext"),
        (bytes.fromhex("020578") + bytes(80), "sdk-message"),
        (bytes.fromhex("01800378") + bytes(80), "sdk-message"),
        (encode_request(DescribeNsm()), "nsm"),
        (encode_random(bytes(256)), "nsm"),
        (json.dumps(POLICY).encode(), "policy"),
        (json.dumps({"Policy": json.dumps(POLICY)}).encode(), "policy"),
        (json.dumps({"Records": [{"eventName": "Decrypt", "eventSource": "kms.amazonaws.com"}]}).encode(), "cloudtrail"),
        (gzip.compress(json.dumps({"Records": [{"eventName": "Decrypt", "eventSource": "kms.amazonaws.com"}]}).encode()), "cloudtrail"),
        (json.dumps({"eventName": "Decrypt", "eventSource": "kms.amazonaws.com"}).encode(), "cloudtrail"),
        (json.dumps({"Measurements": {"PCR0": "00" * 48}}).encode(), "nitro-cli"),
        (json.dumps([{"EnclaveID": "i-0", "State": "RUNNING"}]).encode(), "nitro-cli"),
        (b"hello", "bytes"),
        (b"", "bytes"),
        (bytes(100), "bytes"),
        (b"\x84\x01\x02\x03\x04", "bytes"),
    ],
)  # fmt: skip
def test_every_form(data, kind):
    assert recognise(data).kind == kind


def test_nothing_is_kept_of_a_private_key():
    pem = (
        b"-----BEGIN PRIVATE KEY-----\n"
        + base64.encodebytes(PRIVATE)
        + b"-----END PRIVATE KEY-----"
    )
    for data in (PRIVATE, pem, base64.b64encode(PRIVATE), PRIVATE.hex().encode()):
        found = recognise(data)
        assert (found.kind, found.data, found.value) == ("private-key", b"", None)


def test_answers_of_boto3():
    answer = {
        "CiphertextForRecipient": ENVELOPE,
        "KeyId": "arn",
        "ResponseMetadata": {"at": datetime.now(UTC)},
    }
    found = recognise_value(answer)
    assert (found.kind, found.data) == ("envelope", ENVELOPE)
    assert found.path == ("field CiphertextForRecipient",)
    assert recognise_value({"Policy": json.dumps(POLICY), "PolicyName": "default"}).value == POLICY
    assert recognise_value({"Document": POLICY}).kind == "bytes"


def test_unknown_bytes_get_a_guess():
    assert "breaks" in recognise(b"\x84\x01").guesses[0]
    assert "cut short" in recognise(bytes.fromhex("30820400") + bytes(50)).guesses[0]
    assert "ELF" in recognise(b"\x7fELF" + bytes(60)).guesses[0]
    assert "text" in recognise(b"just some words").guesses[0]
    assert "JSON with colour" in recognise(b'{"colour": 1}').guesses[0]
    assert "random" in recognise(random.Random(1).randbytes(5000)).guesses[-1]


def test_a_bomb_is_not_unfolded():
    assert recognise(gzip.compress(bytes(80 << 20))).kind == "bytes"
    assert recognise(b"[" * 100_000).kind == "bytes"
    deep = BASE64
    for _ in range(10):
        deep = base64.b64encode(deep)
    assert recognise(deep).kind == "bytes"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise(data):
    found = recognise(data)
    assert found.why
    assert found.kind != "bytes" or found.guesses


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, len(DOCUMENT) - 1),
    st.binary(max_size=8),
    st.sampled_from([DOCUMENT, ENVELOPE, ROOT, BASE64, PRIVATE]),
)
def test_no_damage_raises(at, patch, data):
    recognise(data[:at] + patch + data[at + len(patch) :])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=40)
    | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Policy", "Records", "Events", "Statement", "PCR0", "eventName", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_no_value_raises(value):
    assert recognise_value(value).why
