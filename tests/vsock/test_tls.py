"""What a proxy sees of TLS: a real handshake by OpenSSL, and streams that are none."""

import hashlib
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.vsock.tls_records import (
    LENGTHS,
    RecordObserver,
    TlsRecord,
    records_in,
    server_name,
)


@pytest.fixture(scope="module")
def client_hello():
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="kms.example.internal")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("piece", [1, 3, 7, 10_000])
def test_name_and_records_however_it_is_cut(client_hello, piece):
    stream = client_hello + b"\x17\x03\x03\x00\x05abcde" + b"\x15\x03\x03\x00\x02zz"
    seen = RecordObserver()
    for at in range(0, len(stream), piece):
        seen.feed(stream[at : at + piece])
    assert seen.server_name == "kms.example.internal"
    assert seen.records == {"handshake": 1, "application_data": 1, "alert": 1}
    assert seen.only_tls
    assert seen.size == len(stream)
    assert seen.sha256 == hashlib.sha256(stream).hexdigest()


def test_lengths_are_told_once_and_so_many_at_a_time(client_hello):
    seen = RecordObserver()
    seen.feed(client_hello + b"\x17\x03\x03\x00\x05abcde")
    assert seen.take_lengths() == [("handshake", len(client_hello) - 5), ("application_data", 5)]
    seen.feed(b"\x15\x03\x03\x00\x02zz" * (LENGTHS + 9))
    assert seen.take_lengths() == [("alert", 2)] * LENGTHS
    assert seen.take_lengths() == []
    assert seen.records["alert"] == LENGTHS + 9


def test_plain_text_is_reported_with_its_place(client_hello):
    seen = RecordObserver()
    seen.feed(client_hello + b"GET / HTTP/1.1\r\n\r\n")
    assert not seen.only_tls
    assert seen.not_tls_at == len(client_hello)
    seen.feed(b"more")
    assert seen.size == len(client_hello) + 18 + 4


@pytest.mark.parametrize("stream", [b"\x16\x03\x01\x00\x05abc", b"\x16\x03"])
def test_a_record_that_did_not_end_is_not_only_tls(stream):
    seen = RecordObserver()
    seen.feed(stream)
    assert not seen.only_tls
    assert seen.not_tls_at is None


def test_a_record_of_another_version_or_beyond_the_limit():
    for header in (b"\x16\x02\x01\x00\x05", b"\x16\x03\x03\xff\xff", b"\x18\x03\x03\x00\x01"):
        seen = RecordObserver()
        seen.feed(header)
        assert seen.not_tls_at == 0


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_never_raises(data):
    seen = RecordObserver()
    seen.feed(data)
    seen.feed(data)
    assert seen.size == 2 * len(data)
    server_name(data)
    server_name(b"\x01" + data)


def test_every_truncation_of_a_hello_gives_a_name_or_none(client_hello):
    body = client_hello[5:]
    names = {server_name(body[:end]) for end in range(len(body) + 1)}
    assert names == {None, "kms.example.internal"}


def test_records_tell_where_they_stand(client_hello):
    end = len(client_hello)
    assert records_in(client_hello + b"\x17\x03\x03\x00\x05abcde") == (
        TlsRecord("handshake", 0, end),
        TlsRecord("application_data", end, end + 10),
    )
    assert records_in(b"") == ()


@pytest.mark.parametrize(
    "rest",
    [b"GET / HTTP/1.1", b"\x16\x03", b"\x17\x03\x03\x00\x05abcd", b"\x17\x02\x03\x00\x00", b"\x00"],
)
def test_what_is_no_whole_record_comes_last(rest):
    good = b"\x17\x03\x03\x00\x01a"
    assert records_in(good + rest) == (
        TlsRecord("application_data", 0, 6),
        TlsRecord("", 6, 6 + len(rest)),
    )


@given(st.binary(max_size=300))
def test_records_cover_all_bytes_and_nothing_twice(data):
    found = records_in(data)
    assert b"".join(data[one.start : one.end] for one in found) == data
    assert all(one.kind for one in found[:-1])
