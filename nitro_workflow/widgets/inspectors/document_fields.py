"""A document's bytes as a tree: COSE_Sign1, payload, PCRs, certificates and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nitro_workflow.attestation import Reading
from nitro_workflow.encoding import cbor
from nitro_workflow.errors import EncodingError
from nitro_workflow.widgets.formats import moment, size
from nitro_workflow.widgets.inspectors.der_fields import certificate_fields
from nitro_workflow.widgets.inspectors.field_tree import ByteField, cut_hex

__all__ = ["ROLES", "document_fields", "role_of"]

ROLES = ("root", "regional", "zonal", "instance")
"""What AWS's certificates of a bundle of four are, root first; the leaf follows."""

_TINTS = {
    "pcrs": "f2", "nitrotpm_pcrs": "f2", "certificate": "f3", "cabundle": "f4",
    "public_key": "f5", "user_data": "f5", "nonce": "f5",
}  # fmt: skip
_KINDS = {
    "uint": "unsigned integer", "nint": "negative integer", "bytes": "byte string",
    "text": "text", "array": "array", "map": "map", "tag": "tag", "null": "null",
    "true": "true", "false": "false",
}  # fmt: skip


def role_of(index: int, count: int) -> str:
    """Return what a certificate of a bundle of ``count`` is: ``root``, ``zonal``, …."""
    if index == 0:
        return "root"
    return ROLES[index] if count == len(ROLES) else f"intermediate {index}"


def document_fields(reading: Reading) -> tuple[ByteField, ...]:
    """Return the tree, or nothing where the bytes are no COSE_Sign1 that can be read."""
    sign1 = reading.sign1
    if sign1 is None:
        return ()
    spans = reading.spans
    whole = spans["payload"]
    payload = tuple(_payload(reading.raw, whole.content, whole.end))
    return (
        _part(reading, "protected", "{1: -35}", "header, ES384: signed with the payload", "f1"),
        _part(reading, "unprotected", "{}", "header outside the signature", "f1"),
        ByteField(
            "payload", f"map, {len(payload)} fields", *whole[:3],
            says=f"signed, {size(whole.end - whole.content)}", open=True, children=payload,
            head=_head(reading.raw, whole.start, whole.content, "byte string"),
        ),
        _part(
            reading, "signature", size(len(sign1.signature)), "r ‖ s, ECDSA with SHA-384", "f6",
            "bytes",
        ),
    )  # fmt: skip


def _part(
    reading: Reading, name: str, value: str, says: str, tint: str, shape: str = ""
) -> ByteField:
    start, content, end, _ = reading.spans[name]
    kind = "map" if name == "unprotected" else "byte string"
    return ByteField(
        name, value, start, content, end, says=says, tint=tint,
        head=_head(reading.raw, start, content, kind), shape="bytes" if shape else "",
    )  # fmt: skip


def _head(data: bytes, start: int, content: int, kind: str) -> str:
    return f"{data[start:content].hex(' ')}: {kind}"


def _payload(data: bytes, start: int, end: int) -> Iterator[ByteField]:
    try:
        root = cbor.scan(data[start:end])
    except EncodingError:
        return
    if root.kind != "map":
        return
    for key, item in root.pairs():
        label = _text(data, start, key)
        yield _entry(_Place(data, start), label, key, item, _TINTS.get(label, "f1"))


class _Place:
    """Where the payload's items stand in the message."""

    def __init__(self, data: bytes, base: int) -> None:
        self.data = data
        self.base = base

    def value(self, item: cbor.Item) -> bytes:
        return self.data[self.base + item.content : self.base + item.end]

    def field(
        self, label: str, value: str, key: cbor.Item | None, item: cbor.Item, **rest: Any
    ) -> ByteField:
        first = item if key is None else key
        start, content, end = (self.base + at for at in (first.start, item.content, item.end))
        encoded = f"{self.data[start:content].hex(' ')}: "
        encoded += ("" if key is None else "key, ") + _KINDS[item.kind]
        head = encoded if content - start <= 24 else f"{_KINDS[item.kind]} after its key"
        return ByteField(label, value, start, content, end, head=head, **rest)


def _text(data: bytes, base: int, key: cbor.Item) -> str:
    if key.kind == "text":
        return data[base + key.content : base + key.end].decode()
    return str(key.argument) if key.kind == "uint" else key.kind


def _entry(place: _Place, label: str, key: cbor.Item, item: cbor.Item, tint: str) -> ByteField:
    if item.kind == "map":
        return _registers(place, label, key, item, tint)
    if item.kind == "array":
        return _bundle(place, label, key, item, tint)
    if label == "certificate" and item.kind == "bytes":
        return _certificate(place, label, key, item, tint, "the leaf")
    return _plain(place, label, key, item, tint)


def _plain(
    place: _Place, label: str, key: cbor.Item | None, item: cbor.Item, tint: str
) -> ByteField:
    value = place.value(item)
    if item.kind == "text":
        text = value.decode("utf-8", "replace")
        return place.field(label, text, key, item, tint=tint, shape="text",
                           says=f"text, {len(text)} characters")  # fmt: skip
    if item.kind == "bytes":
        said = "all zero" if value and not any(value) else cut_hex(value)
        return place.field(label, said, key, item, tint=tint, shape="bytes", says=size(len(value)))
    if item.kind == "uint" and label == "timestamp" and item.argument is not None:
        says = f"{item.argument} milliseconds since 1970"
        return place.field(label, moment(item.argument / 1000), key, item, tint=tint, says=says)
    said = {"null": "absent (null)", "uint": str(item.argument)}.get(item.kind, _KINDS[item.kind])
    return place.field(label, said, key, item, tint=tint, says=_KINDS[item.kind])


def _registers(place: _Place, label: str, key: cbor.Item, item: cbor.Item, tint: str) -> ByteField:
    kids = tuple(
        _plain(place, f"[{_text(place.data, place.base, index)}]", index, one, tint)
        for index, one in item.pairs()
    )
    zero = sum(kid.value == "all zero" for kid in kids)
    note = f"{zero} all zero" if zero else ""
    return place.field(label, f"{len(kids)} registers", key, item, tint=tint, note=note,
                       says=f"map of {len(kids)}", children=kids)  # fmt: skip


def _bundle(place: _Place, label: str, key: cbor.Item, item: cbor.Item, tint: str) -> ByteField:
    count = len(item.children)
    kids = tuple(
        _certificate(place, f"[{at}]", None, one, tint, role_of(at, count))
        if one.kind == "bytes"
        else _plain(place, f"[{at}]", None, one, tint)
        for at, one in enumerate(item.children)
    )
    return place.field(label, f"{count} certificates", key, item, tint=tint, note="root first",
                       says=f"array of {count}", children=kids)  # fmt: skip


def _certificate(
    place: _Place, label: str, key: cbor.Item | None, item: cbor.Item, tint: str, role: str
) -> ByteField:
    start, end = place.base + item.content, place.base + item.end
    kids = certificate_fields(place.data, start, end)
    return place.field(label, size(end - start), key, item, tint=tint, note=role, shape="bytes",
                       says="X.509 in DER", children=kids)  # fmt: skip
