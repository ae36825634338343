"""What both applications agree on, and the measured configuration."""

from __future__ import annotations

import hashlib
import json

import pytest
from application_world import CREDENTIALS, HOST, make_config

from enclave_image import job_protocol
from enclave_image.configuration import parse_config
from enclave_image.packing.rehearsal import PracticeKms
from nitro_workflow.errors import EnclaveError, FrameError, InputError, UntrustedAnswer

REQUEST = job_protocol.JobRequest(
    job="00000000-0000-4000-8000-000000000000",
    form="envelope",
    credentials=CREDENTIALS,
    nonce=b"\x01" * 32,
    encrypted_key=b"key",
    size=100,
)


def test_a_request_survives_the_wire():
    assert job_protocol.parse_request(json.loads(json.dumps(REQUEST.to_json()))) == REQUEST


def test_secrets_are_not_in_a_repr():
    assert CREDENTIALS.secret_access_key not in repr(REQUEST)
    assert "session_token" not in repr(REQUEST)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("job", "x"),
        ("job", None),
        ("form", []),
        ("credentials", None),
        ("credentials", {"access_key_id": "x"}),
        ("credentials", {**CREDENTIALS.to_json(), "session_token": ""}),
        ("credentials", {**CREDENTIALS.to_json(), "session_token": "é"}),
        ("credentials", {**CREDENTIALS.to_json(), "access_key_id": "a b"}),
        ("nonce", "AB" * 32),
        ("nonce", 7),
        ("encrypted_key", ""),
        ("encrypted_key", "A"),
        ("encrypted_key", "A" * 9000),
        ("size", 28),
        ("size", "100"),
        ("size", job_protocol.ENVELOPE_MAX_BYTES + 1),
    ],
)
def test_a_bad_field_is_named_and_not_echoed(name, value):
    with pytest.raises(FrameError) as caught:
        job_protocol.parse_request({**REQUEST.to_json(), name: value})
    assert name in caught.value.where


def test_canonical_json_has_one_form():
    assert job_protocol.canonical_json({"b": "é", "a": [1]}) == '{"a":[1],"b":"é"}'.encode()


def test_the_receipts_digest_is_of_the_statement():
    statement = job_protocol.receipt_statement(b"r", "00", {"k": "v"}, b"\x01", {"a": "b"})
    text = (
        b'{"encryption_context":{"k":"v"},"exchange":{"a":"b"},"input_sha256":"00","nonce":"01",'
        b'"result_sha256":"' + hashlib.sha256(b"r").hexdigest().encode() + b'"}'
    )
    assert job_protocol.receipt_digest(statement) == hashlib.sha256(text).digest()


def test_a_refusal_is_refused_and_a_failure_failed():
    assert job_protocol.failure_event("D8", UntrustedAnswer("x"))["event"] == "refused"
    assert job_protocol.failure_event("D8", EnclaveError("x"))["event"] == "failed"
    assert "secret" not in str(job_protocol.internal_error(ValueError("secret")).to_json())


# -- measured configuration ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config(owner_key):
    return make_config(PracticeKms(HOST, lambda document: document), owner_key)


def test_the_configuration_survives_and_is_the_same_bytes(config):
    data = config.to_json()
    assert parse_config(data) == config
    assert parse_config(data).to_json() == data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kms_host", "https://kms"),
        ("kms_host", "localhost"),
        ("kms_port_vsock", 0),
        ("kms_port_vsock", True),
        ("ca_pem", "no"),
        ("key_arn", "arn:aws:kms:us-east-1:111122223333:alias/x"),
        ("encryption_context", {}),
        ("encryption_context", {"a": 1}),
        ("query", None),
        ("query", {"columns": ["a", "a"], "group_by": "a", "measures": {}}),
        ("query", {"columns": ["a"], "group_by": "b", "measures": {}}),
        ("query", {"columns": ["a"], "group_by": "a", "measures": {"a": "float"}}),
        ("threshold", 1),
        ("owner_public_key_pem", ""),
        ("extra", 1),
    ],
)
def test_a_configuration_that_is_none_is_refused(config, name, value):
    values = {**json.loads(config.to_json()), name: value}
    with pytest.raises(InputError) as caught:
        parse_config(json.dumps(values).encode())
    assert caught.value.next


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"[" * 70_000])
def test_bytes_that_are_no_configuration_are_refused(data):
    with pytest.raises(InputError):
        parse_config(data)
