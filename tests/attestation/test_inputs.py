"""The forms documents come in, and text that is none of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.attestation.inputs import MAX_INPUT_BYTES, decode_input
from nitro_workflow.errors import DocumentError

from .conftest import vector


def _json(data: bytes, field: str, **others: str) -> bytes:
    value = {**others, field: base64.b64encode(data).decode()}
    return json.dumps(value, ensure_ascii=False).encode()


def _pem(data: bytes, label: bytes) -> bytes:
    body = base64.encodebytes(data)
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, body, label)


RAW = vector("19b71700ef369a55")
FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "raw": ("raw", lambda data: data),
    "hex": ("hex", lambda data: data.hex().encode()),
    "HEX": ("hex", lambda data: data.hex().upper().encode()),
    "0x": ("hex", lambda data: b"0x" + data.hex().encode() + b"\n"),
    "hex by bytes": ("hex", lambda data: data.hex(" ").encode()),
    "base64": ("base64", base64.b64encode),
    "base64 lines": ("base64", base64.encodebytes),
    "base64 windows": ("base64", lambda d: base64.encodebytes(d).replace(b"\n", b"\r\n")),
    "base64 unpadded": ("base64", lambda data: base64.b64encode(data).rstrip(b"=")),
    "base64url": ("base64url", base64.urlsafe_b64encode),
    "base64url unpadded": ("base64url", lambda d: base64.urlsafe_b64encode(d).rstrip(b"=")),
    "with a byte order mark": ("base64", lambda data: b"\xef\xbb\xbf" + base64.b64encode(data)),
    "JSON string": ("json", lambda data: json.dumps(data.hex()).encode()),
    "JSON bytes": ("json", lambda data: json.dumps([*data]).encode()),
    "JSON of a service": ("json", lambda d: _json(d, "attestation_document", nonce="n")),
    "JSON of KMS": ("json", lambda d: _json(d, "AttestationDocument", Other="ü")),
    "JSON in JSON": ("json", lambda d: b'\n{"Recipient": ' + _json(d, "attestationDoc") + b"}\n"),
    "PEM": ("pem", lambda d: _pem(d, b"ATTESTATION DOCUMENT")),
    "PEM windows": ("pem", lambda d: _pem(d, b"COSE").replace(b"\n", b"\r\n")),
    "amid white space": ("base64", lambda data: b" \t\n" + base64.b64encode(data) + b"\v\f "),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_document(name: str) -> None:
    form, encode = FORMS[name]
    assert decode_input(encode(RAW)) == (form, RAW)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "nothing"),
        (b" \n\t ", "nothing"),
        (b"()", r"byte 0: character '\('"),
        (b"{}", "JSON with no fields"),
        (b'{"a": 1, "b\xc3\xbc": "00"}', "JSON with 'a', 'bü'"),
        (b'{"document": "00", "attestation": "00"}', "JSON with 'document', 'attestation'"),
        (b'{"document": 5}', "JSON, int"),
        (b"[1, 2, 256]", "a JSON array"),
        (b"[]", "JSON, list"),
        (b'{"document": "84', "JSON that cannot be read"),
        (b"[" * 100_000, "JSON that cannot be read"),
        (b'{"document": ' * 9 + b'"00"' + b"}" * 9, "nested too deep"),
        (b'"\\ud800"', "character"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "PEM, a CERTIFICATE"),
        (b"-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----", "EC PRIVATE KEY"),
        (b"-----BEGIN DOCUMENT-----\nAAAA\n-----END OTHER-----", "PEM that cannot be read"),
        (b"hEShATgioF#", "byte 10: character '#'"),
        (b"ab-/", "byte 3: character '/'"),
        (b"hEShA", "5 characters of base64"),
        (b"hESh=ATg", "cut short or joined"),
        (b"hEShATg====", "4 of padding"),
        (b"hESh==", "2 of padding"),
        (b"a" * (MAX_INPUT_BYTES + 1), "more than"),
    ],
)
def test_other_text_is_refused_with_the_place(data: bytes, text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        decode_input(data)
    import re

    assert re.search(text, f"{caught.value} {caught.value.expected}")
    assert caught.value.next


@given(st.binary(min_size=1, max_size=200))
def test_what_is_encoded_comes_back(data: bytes) -> None:
    assert decode_input(base64.b64encode(data) + b"=" * 0).data in (data, _as_hex(data))
    assert decode_input(b"0x" + data.hex().encode()).data == data


def _as_hex(data: bytes) -> bytes | None:
    """Base64 text may happen to be hex digits: then it is read as hex (documents never are)."""
    try:
        return bytes.fromhex(base64.b64encode(data).decode())
    except ValueError:
        return None
