"""The scanner: RFC 8949's own examples, every refusal with its offset, and bombs."""

from __future__ import annotations

import time

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.encoding import cbor
from nitro_workflow.errors import EncodingError

# RFC 8949 appendix A, those that the formats of this package can hold.
ACCEPTED = [
    ("00", 0),
    ("17", 23),
    ("1818", 24),
    ("1903e8", 1000),
    ("1b000000e8d4a51000", 1_000_000_000_000),
    ("1bffffffffffffffff", 18_446_744_073_709_551_615),
    ("20", -1),
    ("3863", -100),
    ("3bffffffffffffffff", -18_446_744_073_709_551_616),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("62c3bc", "ü"),
    ("80", []),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("9fff", []),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
]

REFUSED = [
    ("", 0, "cut short"),
    ("18", 1, "cut short"),
    ("1817", 0, "shortest"),
    ("190017", 0, "shortest"),
    ("1a0000ffff", 0, "shortest"),
    ("1b00000000ffffffff", 0, "shortest"),
    ("580101", 0, "shortest"),
    ("780161", 0, "shortest"),
    ("980100", 0, "shortest"),
    ("b8010000", 0, "shortest"),
    ("d81200", 0, "shortest"),
    ("0000", 1, "trailing"),
    ("44010203", 0, "whole string"),
    ("5f4101ff", 0, "chunked bytes"),
    ("7f6161ff", 0, "chunked text"),
    ("ff", 0, "break"),
    ("82ff01", 1, "break"),
    ("9f01", 2, "cut short"),
    ("bf01ff", 2, "key without a value"),
    ("a201020103", 3, "twice"),
    ("bf01020103ff", 3, "twice"),
    ("a18001", 1, "map key"),
    ("a1f601", 1, "map key"),
    ("c000", 0, "tag 0"),
    ("d8234161", 0, "tag 35"),
    ("f7", 0, "simple value 23"),
    ("e0", 0, "simple value 0"),
    ("f8ff", 0, "floating-point"),
    ("f93c00", 0, "floating-point"),
    ("fb3ff0000000000000", 0, "floating-point"),
    ("1c", 0, "reserved"),
    ("3d", 0, "reserved"),
    ("61ff", 1, "UTF-8"),
    ("9b7fffffffffffffff", 0, "entries"),
    ("bb7fffffffffffffff", 0, "entries"),
    ("5bffffffffffffffff", 0, "whole string"),
]


@pytest.mark.parametrize(("encoded", "value"), ACCEPTED)
def test_reads_the_examples_of_the_rfc(encoded: str, value: object) -> None:
    assert cbor.loads_strict(bytes.fromhex(encoded)) == value


@pytest.mark.parametrize(("encoded", "offset", "text"), REFUSED)
def test_refuses_with_the_offset(encoded: str, offset: int, text: str) -> None:
    with pytest.raises(EncodingError, match=text) as caught:
        cbor.loads_strict(bytes.fromhex(encoded))
    assert caught.value.offset == offset
    assert caught.value.exit_code == 3


def test_spans_cover_the_bytes_of_each_item() -> None:
    data = bytes.fromhex("bf6161820102 6162 4201 02ff".replace(" ", ""))
    item = cbor.scan(data)
    assert (item.kind, item.start, item.content, item.end, item.argument) == ("map", 0, 1, 12, None)
    (key, value), (_, blob) = item.pairs()
    assert data[key.content : key.end] == b"a"
    assert [data[c.start : c.end] for c in value.children] == [b"\x01", b"\x02"]
    assert data[blob.content : blob.end] == b"\x01\x02"


def test_a_tag_is_read_where_it_is_named() -> None:
    value = cbor.loads_strict(bytes.fromhex("d280"), tags=frozenset({18}))
    assert value == cbor2.CBORTag(18, ())
    with pytest.raises(EncodingError, match=r"tag 18.*allowed: 61"):
        cbor.scan(bytes.fromhex("d280"), tags=frozenset({61}))


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"\x81" * 200_000 + b"\x00", cbor.DEFAULT_LIMITS),
        (b"\x9f" * 200_000, cbor.DEFAULT_LIMITS),
        (b"\x9a\x00\x03\x00\x00" + b"\x00" * 0x30000, cbor.DEFAULT_LIMITS),
        (b"\x00" * 300_000, cbor.DEFAULT_LIMITS),
        (bytes.fromhex("83010203"), cbor.Limits(100, 3, 4)),
        (bytes.fromhex("818100"), cbor.Limits(100, 10, 1)),
    ],
    ids=["deep", "deep-indefinite", "count", "size", "items", "depth"],
)
def test_bombs_are_refused_in_bounded_time(data: bytes, limits: cbor.Limits) -> None:
    started = time.process_time()
    with pytest.raises(EncodingError):
        cbor.scan(data, limits=limits)
    assert time.process_time() - started < 2


def test_dumps_refuses_what_the_formats_do_not_hold() -> None:
    assert cbor.dumps({"b": 1, "a": [b"", None, True]}).hex() == "a261620161618340f6f5"
    with pytest.raises(EncodingError, match="object"):
        cbor.dumps(object())


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.integers(-100, 300) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(_values)
def test_what_dumps_writes_is_read_back(value: object) -> None:
    assert cbor.loads_strict(cbor.dumps(value)) == value


@given(st.binary(max_size=80))
def test_only_our_error_for_any_bytes(data: bytes) -> None:
    try:
        value = cbor.loads_strict(data)
    except EncodingError as error:
        offset = error.offset
    else:
        assert cbor2.loads(data) == value
        offset = 0
    assert offset is not None
    assert 0 <= offset <= len(data)
