"""The module's messages, their bytes written out by hand."""

import pytest

from nitro_workflow.errors import EncodingError, NsmError
from nitro_workflow.nsm import messages as m

REQUESTS = [
    (m.DescribeNsm(), "6b" + b"DescribeNSM".hex()),
    (m.GetRandom(), "69" + b"GetRandom".hex()),
    (m.DescribePcr(31), "a16b" + b"DescribePCR".hex() + "a165" + b"index".hex() + "181f"),
    (
        m.ExtendPcr(16, b"\x01\x02"),
        "a169" + b"ExtendPCR".hex() + "a265" + b"index".hex() + "1064" + b"data".hex() + "420102",
    ),
    (m.LockPcr(16), "a167" + b"LockPCR".hex() + "a165" + b"index".hex() + "10"),
    (m.LockPcrs(32), "a168" + b"LockPCRs".hex() + "a165" + b"range".hex() + "1820"),
    (
        m.Attestation(public_key=b"k"),
        "a16b" + b"Attestation".hex() + "a369" + b"user_data".hex() + "f6"
        "65" + b"nonce".hex() + "f66a" + b"public_key".hex() + "416b",
    ),
]


@pytest.mark.parametrize(("request_", "expected"), REQUESTS, ids=lambda it: type(it).__name__)
def test_request_bytes_and_back(request_, expected):
    data = m.encode_request(request_)
    assert data.hex() == expected
    assert m.decode_request(data) == request_


def test_description_bytes():
    it = m.ModuleDescription((1, 0, 0), "i-1-enc2", 32, (0, 1), "SHA384")
    data = m.encode_description(it)
    assert data.hex() == (
        "a16b" + b"DescribeNSM".hex() + "a76d" + b"version_major".hex() + "016d"
        + b"version_minor".hex() + "006d" + b"version_patch".hex() + "0069" + b"module_id".hex()
        + "68" + b"i-1-enc2".hex() + "68" + b"max_pcrs".hex() + "18206b" + b"locked_pcrs".hex()
        + "82000166" + b"digest".hex() + "66" + b"SHA384".hex()
    )  # fmt: skip
    assert m.decode_description(data) == it


def test_other_answers_and_back():
    assert m.decode_pcr(m.encode_pcr(m.PcrState(True, bytes(48)))) == m.PcrState(True, bytes(48))
    assert m.encode_pcr(m.PcrState(False, b"x")).hex() == (
        "a16b" + b"DescribePCR".hex() + "a264" + b"lock".hex() + "f464" + b"data".hex() + "4178"
    )
    assert m.decode_extended(m.encode_extended(b"v" * 48)) == b"v" * 48
    assert m.decode_attestation(m.encode_attestation(b"doc")) == b"doc"
    assert m.decode_random(m.encode_random(b"r")) == b"r"
    m.decode_locked(m.encode_locked(several=True))
    m.decode_locked(m.encode_locked(several=False))
    assert m.encode_locked(several=True) == b"\x68LockPCRs"


def test_error_answer_is_an_error_by_its_name():
    assert m.encode_error("InvalidIndex") == b"\xa1\x65Error\x6cInvalidIndex"
    for decode in (m.decode_pcr, m.decode_locked, m.decode_attestation, m.decode_random):
        with pytest.raises(NsmError) as caught:
            decode(m.encode_error("InvalidIndex"))
        assert caught.value.code == "InvalidIndex"
    with pytest.raises(NsmError) as caught:
        m.decode_pcr(m.encode_error("a name that hardware does not have"))
    assert caught.value.code == "NsmError"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"\xa0", b"\x01", b"\x63foo", b"\xa2\x01\x02\x03\x04", b"\x9f" * 50],
    ids=["empty", "break", "no-entry", "number", "name", "two-entries", "deep"],
)
def test_what_is_no_message_is_an_encoding_error(data):
    with pytest.raises(EncodingError):
        m.decode_request(data)
    with pytest.raises(EncodingError):
        m.decode_attestation(data)
    with pytest.raises(EncodingError):
        m.decode_locked(data)
    with pytest.raises(EncodingError):
        m.decode_description(data)


@pytest.mark.parametrize("index", [-1, 1 << 16, True, "1", None, 1.5])
def test_index_is_an_unsigned_16_bit_number(index):
    import cbor2

    with pytest.raises(EncodingError):
        m.decode_request(cbor2.dumps({"DescribePCR": {"index": index}}))


def test_as_tolerant_as_the_module():
    import cbor2

    assert m.decode_request(cbor2.dumps({"Attestation": {}})) == m.Attestation()
    text = {"Attestation": {"nonce": "n", "more": 1}}
    assert m.decode_request(cbor2.dumps(text)) == m.Attestation(nonce=b"n")
    with pytest.raises(EncodingError):
        m.decode_request(cbor2.dumps({"Attestation": {"nonce": 5}}))
    with pytest.raises(EncodingError):
        m.decode_request(cbor2.dumps({"ExtendPCR": {"index": 16}}))
    with pytest.raises(EncodingError):
        m.decode_request(cbor2.dumps({"ExtendPCR": [16]}))
