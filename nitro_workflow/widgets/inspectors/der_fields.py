"""DER as a tree of fields, with the names that X.509 gives them (RFC 5280 §4.1).

Only for showing: whoever believes a certificate reads it with `attestation.parse_certificate`.
Nothing raises; what cannot be read is shown as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from nitro_workflow.widgets.inspectors.field_tree import ByteField, cut_hex

__all__ = ["certificate_fields", "der_fields", "oid_name"]

_MAX_DEPTH = 12
_MAX_ITEMS = 600

_TAGS = {
    0x01: "boolean", 0x02: "integer", 0x03: "bit string", 0x04: "octet string", 0x05: "null",
    0x06: "object identifier", 0x0C: "UTF8String", 0x13: "PrintableString", 0x16: "IA5String",
    0x17: "UTCTime", 0x18: "GeneralizedTime", 0x30: "sequence", 0x31: "set",
}  # fmt: skip
_TEXTS = {0x0C, 0x13, 0x16, 0x17, 0x18}
_OIDS = {
    "1.2.840.10045.2.1": "EC public key",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "1.2.840.10045.4.3.3": "ECDSA with SHA-384",
    "1.3.132.0.34": "P-384",
    "1.2.840.10045.3.1.7": "P-256",
    "2.5.4.3": "common name",
    "2.5.4.6": "country",
    "2.5.4.7": "locality",
    "2.5.4.8": "state",
    "2.5.4.10": "organization",
    "2.5.4.11": "organizational unit",
    "2.5.29.14": "subject key identifier",
    "2.5.29.15": "key usage",
    "2.5.29.19": "basic constraints",
    "2.5.29.31": "CRL distribution points",
    "2.5.29.32": "certificate policies",
    "2.5.29.35": "authority key identifier",
    "2.5.29.37": "extended key usage",
    "1.2.840.113549.1.7.1": "data",
    "1.2.840.113549.1.7.3": "enveloped data",
    "1.2.840.113549.1.1.7": "RSA-OAEP",
    "2.16.840.1.101.3.4.1.42": "AES-256-CBC",
    "2.16.840.1.101.3.4.2.1": "SHA-256",
}
_CERTIFICATE = ("what is signed", "signature algorithm", "signature")
_SIGNED = (
    "version", "serial number", "algorithm", "issuer", "validity", "subject", "public key",
    "extensions",
)  # fmt: skip
_USAGES = (
    "digital signature", "non-repudiation", "key encipherment", "data encipherment",
    "key agreement", "certificate signing", "CRL signing",
)  # fmt: skip
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_VERSION_TAG, _EXTENSIONS_TAG = 0xA0, 0xA3


class _Item(NamedTuple):
    tag: int
    start: int
    content: int
    end: int

    @property
    def constructed(self) -> bool:
        return bool(self.tag & 0x20)


def oid_name(dotted: str) -> str:
    """Return an object identifier's usual name, or itself."""
    return _OIDS.get(dotted, dotted)


def _read(data: bytes, at: int, end: int) -> _Item | None:
    """Return the item at an offset, or None where it is none of definite, minimal length."""
    if at + 2 > end or data[at] & 0x1F == 0x1F:
        return None
    content, length = at + 2, data[at + 1]
    if length >= 0x80:
        count = length - 0x80
        if not 1 <= count <= 3 or content + count > end:
            return None
        length = int.from_bytes(data[content : content + count])
        content += count
    return _Item(data[at], at, content, content + length) if content + length <= end else None


def _items(data: bytes, at: int, end: int) -> Iterator[_Item]:
    while at < end:
        item = _read(data, at, end)
        if item is None:
            return
        yield item
        at = item.end


def der_fields(data: bytes, start: int, end: int) -> tuple[ByteField, ...]:
    """Return the DER items of a range of ``data``; offsets are those of ``data``."""
    return _Walk(data).fields(start, end, 0)


class _Walk:
    """Walks the bytes once, within limits of depth and number."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _MAX_ITEMS

    def fields(self, start: int, end: int, depth: int) -> tuple[ByteField, ...]:
        return tuple(self.field(item, depth) for item in _items(self.data, start, end))

    def field(self, item: _Item, depth: int, label: str = "") -> ByteField:
        self.left -= 1
        kids: tuple[ByteField, ...] = ()
        if depth < _MAX_DEPTH and self.left > 0:
            kids = self._inside(item, depth)
        name = _tag_name(item.tag)
        value, says = self._value(item, kids, name)
        return ByteField(
            label or name, value, item.start, item.content, item.end, says=says,
            head=f"{self.data[item.start : item.content].hex(' ')}: {name}",
            shape="bytes" if not kids and item.tag in (0x03, 0x04, 0x02) else "", children=kids,
        )  # fmt: skip

    def _inside(self, item: _Item, depth: int) -> tuple[ByteField, ...]:
        if item.constructed:
            return self.fields(item.content, item.end, depth + 1)
        if item.tag == 0x04 and item.end > item.content:  # an extension's value is DER itself
            inner = _read(self.data, item.content, item.end)
            if inner is not None and inner.end == item.end and inner.tag in _TAGS:
                return (self.field(inner, depth + 1),)
        return ()

    def _value(self, item: _Item, kids: tuple[ByteField, ...], name: str) -> tuple[str, str]:
        content = self.data[item.content : item.end]
        says = f"{name}, {len(content):,} bytes"
        if kids:
            return f"{len(kids)} item{'s' if len(kids) > 1 else ''}", says
        if item.tag == 0x06:
            return oid_name(_dotted(content)), f"{name} {_dotted(content)}"
        if item.tag in _TEXTS or (item.tag & 0xC0 == 0x80 and _is_plain(content)):
            return content.decode("utf-8", "replace"), says
        if item.tag == 0x01:
            return "true" if any(content) else "false", says
        if item.tag == 0x05 or not content:
            return "null" if item.tag == 0x05 else "empty", says
        return cut_hex(content), says


def _is_plain(content: bytes) -> bool:
    """Tell a name or address (RFC 5280 §4.2.1.6) from other bytes under a tag of the context."""
    return len(content) > 3 and all(0x20 < byte < 0x7F for byte in content)


def _tag_name(tag: int) -> str:
    return _TAGS.get(tag) or f"[{tag & 0x1F}]"


def _dotted(content: bytes) -> str:
    """Return an object identifier in numbers (X.690 §8.19)."""
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return "empty"
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def certificate_fields(data: bytes, start: int, end: int) -> tuple[ByteField, ...]:
    """Return a certificate's fields with X.509's names; other DER has the plain ones."""
    outer = _read(data, start, end)
    walk = _Walk(data)
    parts = list(_items(data, outer.content, outer.end)) if outer else []
    if len(parts) != len(_CERTIFICATE):
        return walk.fields(start, end, 0)
    signed = ByteField(
        _CERTIFICATE[0], "what the issuer signed", *parts[0][1:], says="TBSCertificate",
        children=_signed_fields(walk, parts[0]),
    )  # fmt: skip
    others = zip(parts[1:], _CERTIFICATE[1:], strict=True)
    return (signed, *(_named(walk, item, label) for item, label in others))


def _signed_fields(walk: _Walk, signed: _Item) -> tuple[ByteField, ...]:
    items = list(_items(walk.data, signed.content, signed.end))
    names = list(_SIGNED if items and items[0].tag == _VERSION_TAG else _SIGNED[1:])
    fields = []
    for item in items:
        name = names.pop(0) if names else _tag_name(item.tag)
        if name == "extensions" and item.tag == _EXTENSIONS_TAG:
            fields.append(_extensions(walk, item))
        else:
            fields.append(_named(walk, item, name))
    return tuple(fields)


def _named(walk: _Walk, item: _Item, label: str) -> ByteField:
    field = walk.field(item, 1, label)
    said = _summary(field)
    kids = field.children
    if label in ("issuer", "subject"):
        kids = tuple(map(_name_part, kids))
    elif label == "validity" and len(kids) == 2:
        kids = tuple(
            replace(kid, label=name, value=_moment(kid.value))
            for kid, name in zip(kids, ("not before", "not after"), strict=True)
        )
    return replace(field, value=said or field.value, children=kids)


def _name_part(field: ByteField) -> ByteField:
    """Return a set of one attribute as that attribute: ``common name = …``."""
    leaves = list(_leaves(field))
    if len(leaves) != 2:
        return field
    return replace(field, label=leaves[0].value, value=leaves[1].value, children=())


def _moment(text: str) -> str:
    """Return UTCTime or GeneralizedTime readably; other text as it is (RFC 5280 §4.1.2.5)."""
    digits = text.removesuffix("Z")
    if not digits.isdecimal() or len(digits) not in (12, 14):
        return text
    if len(digits) == 12:
        digits = ("19" if digits >= "5" else "20") + digits
    date = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{date} {digits[8:10]}:{digits[10:12]}:{digits[12:]}Z"


def _summary(field: ByteField) -> str:
    """Return the values of a name, an algorithm or a validity on one line."""
    leaves = [leaf.value for leaf in _leaves(field)]
    if field.label in ("issuer", "subject"):
        return ", ".join(leaves[1::2])
    if field.label == "validity" and len(leaves) == 2:
        return " to ".join(map(_moment, leaves))
    if field.label in ("algorithm", "signature algorithm", "public key"):
        return ", ".join(leaf.value for leaf in _leaves(field) if leaf.says.startswith("object"))
    return ""


def _leaves(field: ByteField) -> Iterator[ByteField]:
    if not field.children:
        yield field
    for kid in field.children:
        yield from _leaves(kid)


def _extensions(walk: _Walk, item: _Item) -> ByteField:
    field = walk.field(item, 1, "extensions")
    inner = field.children[0].children if field.children else ()
    named = tuple(_extension(one) for one in inner)
    return ByteField(
        field.label, f"{len(named)} extensions", field.start, field.content, field.end,
        says=field.says, head=field.head, children=named,
    )  # fmt: skip


def _extension(field: ByteField) -> ByteField:
    kids = field.children
    critical = any(kid.says.startswith("boolean") and kid.value == "true" for kid in kids)
    label = kids[0].value if kids else field.label
    value = _extension_value(label, kids[-1]) if kids else field.value
    return replace(field, label=label, value=value, note="critical" if critical else "")


def _extension_value(label: str, holder: ByteField) -> str:
    leaves = list(_leaves(holder))
    if label == "basic constraints":
        said = [leaf.value for leaf in leaves]
        limit = f", path length {_number(said[1])}" if len(said) == 2 else ""
        return ("CA" if said[:1] == ["true"] else "not a CA") + limit
    if label == "key usage" and leaves:
        return _usages(leaves[-1].value)
    return leaves[-1].value if leaves else holder.value


def _number(shown: str) -> str:
    return str(int(shown, 16)) if _HEX.fullmatch(shown) else shown


def _usages(shown: str) -> str:
    """Return the names of a key usage's bits (RFC 5280 §4.2.1.3); ``shown`` is its hex."""
    bits = bytes.fromhex(shown)[1:2] if _HEX.fullmatch(shown) else b""
    names = [name for at, name in enumerate(_USAGES) if bits and bits[0] & 0x80 >> at]
    return ", ".join(names) or shown
