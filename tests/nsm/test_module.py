"""The state machine: registers, locks, limits, and an answer to any bytes."""

import hashlib
from datetime import UTC, datetime

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import NitroWorkflowError, NsmError
from nitro_workflow.nsm import FIELD_LIMIT, NsmModule
from nitro_workflow.nsm import messages as m

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def make(issue=lambda **_: b"document", random=lambda n: b"\x07" * n):
    return NsmModule("i-0-enc1", {0: b"\x01" * 48, 4: b"\x04" * 48}, issue, random)


def ask(module, request):
    return module.handle(m.encode_request(request), NOW)


def refused(module, request):
    with pytest.raises(NsmError) as caught:
        m.decode_pcr(ask(module, request))
    return caught.value.code


def test_description():
    it = m.decode_description(ask(make(), m.DescribeNsm()))
    assert it == m.ModuleDescription((1, 0, 0), "i-0-enc1", 32, tuple(range(16)), "SHA384")


def test_registers_start_locked_below_16_and_zero_above():
    module = make()
    assert m.decode_pcr(ask(module, m.DescribePcr(0))) == m.PcrState(True, b"\x01" * 48)
    assert m.decode_pcr(ask(module, m.DescribePcr(15))) == m.PcrState(True, bytes(48))
    assert m.decode_pcr(ask(module, m.DescribePcr(16))) == m.PcrState(False, bytes(48))


def test_extend_is_sha384_of_old_and_data():
    module = make()
    value = m.decode_extended(ask(module, m.ExtendPcr(16, b"x")))
    assert value == hashlib.sha384(bytes(48) + b"x").digest()
    again = m.decode_extended(ask(module, m.ExtendPcr(16, b"")))
    assert again == hashlib.sha384(value).digest()


def test_locked_means_read_only():
    module = make()
    assert refused(module, m.ExtendPcr(0, b"x")) == "ReadOnlyIndex"
    assert refused(module, m.LockPcr(0)) == "ReadOnlyIndex"
    m.decode_locked(ask(module, m.LockPcr(16)))
    assert refused(module, m.ExtendPcr(16, b"x")) == "ReadOnlyIndex"
    m.decode_locked(ask(module, m.LockPcrs(32)))
    assert refused(module, m.ExtendPcr(31, b"x")) == "ReadOnlyIndex"


@pytest.mark.parametrize(
    "request_", [m.DescribePcr(32), m.ExtendPcr(32, b""), m.LockPcr(65535), m.LockPcrs(33)]
)
def test_index_beyond_31(request_):
    assert refused(make(), request_) == "InvalidIndex"


def test_document_is_issued_for_locked_registers_only():
    seen = {}

    def issue(**fields):
        seen.update(fields)
        return b"document"

    module = make(issue)
    ask(module, m.ExtendPcr(16, b"x"))
    request = m.Attestation(b"u" * FIELD_LIMIT, b"n" * FIELD_LIMIT, b"k" * FIELD_LIMIT)
    assert m.decode_attestation(ask(module, request)) == b"document"
    assert sorted(seen["pcrs"]) == list(range(16))
    assert (seen["module_id"], seen["now"]) == ("i-0-enc1", NOW)
    assert (seen["user_data"], seen["nonce"]) == (request.user_data, request.nonce)
    ask(module, m.LockPcr(16))
    ask(module, m.Attestation())
    assert sorted(seen["pcrs"]) == list(range(17))
    assert seen["public_key"] is None


def test_limits():
    module = make()
    assert refused(module, m.Attestation(nonce=bytes(FIELD_LIMIT + 1))) == "InputTooLarge"
    assert module.handle(bytes(0x1001), NOW) == m.encode_error("InputTooLarge")
    assert module.handle(bytes(0x1000), NOW) == m.encode_error("InvalidOperation")
    big = make(issue=lambda **_: bytes(0x3000))
    assert refused(big, m.Attestation()) == "BufferTooSmall"


def test_random_and_a_failing_issuer():
    assert m.decode_random(ask(make(), m.GetRandom())) == b"\x07" * 256

    def broken(**_):
        raise NitroWorkflowError("no key")

    assert refused(make(broken), m.Attestation()) == "InternalError"


# CBOR-shaped noise reaches deeper than bytes do.
_names = [
    "Attestation",
    "DescribePCR",
    "ExtendPCR",
    "LockPCR",
    "LockPCRs",
    "GetRandom",
    "DescribeNSM",
]
_keys = st.sampled_from(["index", "data", "range", "nonce", "user_data", "public_key"])
_values = st.none() | st.booleans() | st.integers() | st.binary(max_size=60) | st.text(max_size=5)
_messages = st.dictionaries(
    st.sampled_from(_names) | _values, st.dictionaries(_keys, _values) | _values, max_size=2
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | _messages.map(cbor2.dumps))
def test_any_bytes_have_a_valid_response(data):
    response = make().handle(data, NOW)
    assert len(response) <= m.RESPONSE_LIMIT
    body = cbor2.loads(response)
    assert isinstance(body, str | dict)
    if isinstance(body, dict) and "Error" in body:
        assert body["Error"] in m.ERROR_NAMES
