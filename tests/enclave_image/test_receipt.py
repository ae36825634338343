"""The owner's side of D9: what is swapped, replayed or someone else's is detected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave_image.configuration import MeasuredConfig, Query
from enclave_image.inside.query import Summary
from enclave_image.inside.run_key import RunKey
from enclave_image.inside.sealed_result import seal_result
from enclave_image.owner import receipt as receipts
from enclave_image.owner.dataset import QUERY
from enclave_image.packing.rehearsal import KEY_ARN
from nitro_workflow.attestation import HypervisorPki, Verifier, exactly
from nitro_workflow.errors import ReceiptRefused

NOW = datetime.now(UTC)
PCRS = {i: bytes([i + 1]) * 48 for i in range(16)}
NONCE = receipts.new_nonce()
INPUT = "ab" * 32
CONTEXT = {"dataset": "customers", "version": "1"}
RESULT_CONTEXT = {"purpose": "result"}
EXCHANGE = {"document_sha256": "d0", "kms_request_id": "r1", "envelope_sha256": "e2"}
SUMMARY = Summary(12, 10, ({"region": "asia", "count": 12},), 1)


class Enclave:
    def __init__(self, pki: HypervisorPki, pcrs=PCRS, at=NOW):
        self._issuer, self._pcrs, self._at = pki.instance("i-0123456789abcdef0", at), pcrs, at

    def describe(self):
        return SimpleNamespace(module_id="i-0123456789abcdef0-enc0123456789abcdef")

    def describe_pcr(self, index):
        return SimpleNamespace(value=self._pcrs.get(index, bytes(48)))

    def attest(self, **fields):
        return self._issuer.issue(
            module_id="i-0123456789abcdef0-enc0123456789abcdef",
            pcrs=self._pcrs,
            now=self._at,
            **fields,
        )


@pytest.fixture(scope="module")
def pki():
    return HypervisorPki.create(NOW)


@pytest.fixture(scope="module")
def owner_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def config(owner_key):
    pem = owner_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return MeasuredConfig(
        region="us-east-1",
        kms_host="kms.us-east-1.nitro-lab.internal",
        kms_port_vsock=8000,
        ca_pem="-----BEGIN ",
        key_arn=KEY_ARN,
        encryption_context=CONTEXT,
        query=Query(tuple(QUERY["columns"]), QUERY["group_by"], QUERY["measures"]),
        threshold=10,
        owner_public_key_pem=pem.decode(),
        owner_result_context=RESULT_CONTEXT,
    )


@pytest.fixture(scope="module")
def key(pki):
    return RunKey(Enclave(pki))


@pytest.fixture(scope="module")
def sealed(config, key):
    return seal_result(SUMMARY, config, key, input_sha256=INPUT, nonce=NONCE, exchange=EXCHANGE)


EXPECTED = receipts.ExpectedReceipt(
    exactly({0: PCRS[0], 1: PCRS[1]}, "test"), NONCE, INPUT, CONTEXT, RESULT_CONTEXT, EXCHANGE
)


def open_result(pki, owner_key, result, receipt, expected=EXPECTED, at=NOW):
    return receipts.open_result(
        result,
        receipt,
        expected,
        verifier=Verifier.local(pki.root_der),
        at=at,
        private_key=owner_key,
    )


def test_an_honest_result_opens(pki, owner_key, sealed):
    opened = open_result(pki, owner_key, sealed.result, sealed.receipt)
    assert (opened.rows, opened.threshold, opened.suppressed) == (12, 10, 1)
    assert opened.groups == ({"region": "asia", "count": 12},)
    assert opened.attestation.document.nonce == NONCE


def refused(*args, **kwargs) -> ReceiptRefused:
    with pytest.raises(ReceiptRefused) as caught:
        open_result(*args, **kwargs)
    error = caught.value
    assert error.found
    assert error.expected
    assert error.next
    return error


def test_a_swapped_result_is_detected(pki, owner_key, config, key, sealed):
    other = seal_result(SUMMARY, config, key, input_sha256=INPUT, nonce=NONCE, exchange=EXCHANGE)
    error = refused(pki, owner_key, other.result, sealed.receipt)
    assert "swapped" in error.found


@pytest.mark.parametrize(
    "changes",
    [
        {"input_sha256": "cd" * 32},
        {"encryption_context": {"dataset": "other"}},
        {"exchange": {**EXCHANGE, "envelope_sha256": "00"}},
        {"exchange": {}},
    ],
)
def test_another_input_context_or_exchange_is_detected(pki, owner_key, sealed, changes):
    error = refused(pki, owner_key, sealed.result, sealed.receipt, replace(EXPECTED, **changes))
    assert "swapped" in error.found


def test_a_receipt_for_another_nonce_is_detected(pki, owner_key, sealed):
    expected = replace(EXPECTED, nonce=receipts.new_nonce())
    error = refused(pki, owner_key, sealed.result, sealed.receipt, expected)
    assert "nonce" in error.found


def test_an_old_receipt_is_detected(pki, owner_key, sealed):
    at = NOW + receipts.MAX_AGE + timedelta(seconds=1)
    assert "old" in refused(pki, owner_key, sealed.result, sealed.receipt, at=at).found


def test_another_enclaves_receipt_is_detected(pki, owner_key, config):
    other = RunKey(Enclave(pki, {**PCRS, 0: bytes([9]) * 48}))
    made = seal_result(SUMMARY, config, other, input_sha256=INPUT, nonce=NONCE, exchange=EXCHANGE)
    assert "another enclave" in refused(pki, owner_key, made.result, made.receipt).found


def test_a_debug_enclaves_receipt_is_refused(pki, owner_key, config):
    debug = RunKey(Enclave(pki, {i: bytes(48) for i in range(16)}))
    made = seal_result(SUMMARY, config, debug, input_sha256=INPUT, nonce=NONCE, exchange=EXCHANGE)
    expected = replace(EXPECTED, pcrs=exactly({0: bytes(48)}, "test"))
    assert "debug" in refused(pki, owner_key, made.result, made.receipt, expected).found


def test_another_root_is_refused(owner_key, sealed):
    other = HypervisorPki.create(NOW)
    refused(other, owner_key, sealed.result, sealed.receipt)


def test_a_changed_byte_anywhere_is_detected(pki, owner_key, sealed):
    for at in range(0, len(sealed.receipt), 97):
        changed = bytearray(sealed.receipt)
        changed[at] ^= 1
        refused(pki, owner_key, sealed.result, bytes(changed))
    for at in range(0, len(sealed.result), 97):
        changed = bytearray(sealed.result)
        changed[at] ^= 1
        refused(pki, owner_key, bytes(changed), sealed.receipt)


@pytest.mark.parametrize("receipt", [b"", b"x", b"\x84" * 40, bytes(5000)])
def test_bytes_that_are_no_receipt(pki, owner_key, sealed, receipt):
    refused(pki, owner_key, sealed.result, receipt)


def test_a_result_for_another_owner(pki, sealed, caplog):
    stranger = rsa.generate_private_key(65537, 2048)
    error = refused(pki, stranger, sealed.result, sealed.receipt)
    assert "does not open" in error.found
    assert "Traceback" not in caplog.text


def test_a_result_with_another_result_context(pki, owner_key, sealed):
    refused(
        pki,
        owner_key,
        sealed.result,
        sealed.receipt,
        replace(EXPECTED, result_context={"purpose": "other"}),
    )


def test_the_results_length_does_not_tell_the_number_of_groups(config, key):
    many = replace(SUMMARY, groups=tuple({"region": f"r{i}", "count": 12} for i in range(20)))
    made = [
        seal_result(s, config, key, input_sha256=INPUT, nonce=NONCE, exchange=EXCHANGE)
        for s in (SUMMARY, many)
    ]
    assert len({len(one.result) for one in made}) == 1
