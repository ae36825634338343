"""Bytes to document, without belief.

`examine` reads what can be read and notes every broken rule; `parse_document` raises the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nitro_workflow.attestation.document import (
    DOCUMENT_LIMITS,
    MAX_CABUNDLE,
    MAX_CERTIFICATE_BYTES,
    MAX_MODULE_ID_CHARS,
    MAX_OPTIONAL_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_PCRS,
    MAX_TIMESTAMP_MS,
    PCR_LENGTHS,
    AttestationDocument,
    FieldSpan,
    Finding,
    Kind,
    Mode,
    mode_of,
)
from nitro_workflow.encoding import cbor
from nitro_workflow.encoding.cose import Sign1, read_sign1
from nitro_workflow.errors import DocumentError, EncodingError

__all__ = ["Reading", "examine", "parse_document"]

_ES384_HEADER = bytes.fromhex("a1013822")  # {1: -35}
_SIGNATURE_BYTES = 96
_PCR_FIELDS: dict[str, Kind] = {"pcrs": "enclave", "nitrotpm_pcrs": "nitrotpm"}
_NEXT = "Check that the bytes are a whole document, as the NSM returned it."


@dataclass(frozen=True, slots=True)
class Reading:
    """All that could be read of some bytes, and every rule of the format that they break.

    ``shape`` has what is wrong with CBOR and COSE, ``fields`` what is wrong with the fields.
    ``values`` holds the fields that keep their rules; ``payload`` is None where there is no map.
    """

    raw: bytes
    sign1: Sign1 | None
    payload: Mapping[str, Any] | None
    values: Mapping[str, Any]
    kind: Kind | None
    spans: Mapping[str, FieldSpan]
    unknown: tuple[str, ...]
    shape: tuple[Finding, ...]
    fields: tuple[Finding, ...]

    @property
    def pcrs(self) -> Mapping[int, bytes]:
        """The PCRs, empty where they could not be read."""
        pcrs: Mapping[int, bytes] = self.values.get("pcrs", {})
        return pcrs

    @property
    def mode(self) -> Mode | None:
        """``production``, ``debug``, or None where the document does not tell."""
        return mode_of(self.kind, self.pcrs)

    def document(self) -> AttestationDocument:
        """Return the document. Raises `DocumentError` with the first rule that is broken."""
        for finding in (*self.shape, *self.fields):
            raise DocumentError(
                finding.found, expected=finding.expected, where=finding.where, next=_NEXT
            )
        if self.sign1 is None or self.kind is None:
            raise DocumentError("no document", expected="a COSE_Sign1", next=_NEXT)
        return AttestationDocument(
            kind=self.kind,
            raw=self.raw,
            sign1=self.sign1,
            spans=self.spans,
            unknown=self.unknown,
            **self.values,
        )


def parse_document(data: bytes) -> AttestationDocument:
    """Return what the attestation document ``data`` says; nothing is verified.

    ``data`` is a COSE_Sign1 message, tagged or not, of an enclave or of a NitroTPM. Raises
    `DocumentError` that names the byte or field, what was found and what was expected.

    Rules: AWS, aws-nitro-enclaves-nsm-api/docs/attestation_process.md, "Syntactical validation";
    where AWS's own documents are wider than that text (1,024 bytes of ``user_data``, an empty
    ``public_key``), the documents are followed.
    """
    return examine(data).document()


def examine(data: bytes) -> Reading:
    """Read what can be read; never raises for bad bytes."""
    try:
        sign1, trouble = read_sign1(data, limits=DOCUMENT_LIMITS)
    except EncodingError as error:
        return _unreadable(data, None, (_finding(error, "message"),))
    shape = _header_rules(sign1, trouble)
    base = sign1.spans["payload"].content
    try:
        root = cbor.scan(sign1.payload, limits=DOCUMENT_LIMITS)
        payload = cbor.value_of(sign1.payload, root, limits=DOCUMENT_LIMITS)
    except EncodingError as error:
        return _unreadable(data, sign1, (*shape, _finding(error, "payload", base)))
    wrong = _payload_rules(root, base)
    if wrong:
        return _unreadable(data, sign1, (*shape, *wrong))
    spans = _Spans(sign1, root)
    values, fields, kind = _read_fields(payload)
    unknown = tuple(name for name in payload if name not in _RULES and name not in _PCR_FIELDS)
    return Reading(data, sign1, payload, values, kind, spans, unknown, tuple(shape), tuple(fields))


def _unreadable(data: bytes, sign1: Sign1 | None, shape: tuple[Finding, ...]) -> Reading:
    spans: Mapping[str, FieldSpan] = {} if sign1 is None else _Spans(sign1, None)
    return Reading(data, sign1, None, {}, None, spans, (), shape, ())


def _finding(error: EncodingError, part: str, base: int = 0) -> Finding:
    offset = base + (error.offset or 0)
    return Finding(error.found, error.expected, f"{part}, byte {offset}")


def _header_rules(sign1: Sign1, trouble: EncodingError | None) -> list[Finding]:
    """RFC 9052 §4.2 as AWS uses it: ES384 in the protected header, nothing in the other."""
    findings = []
    spans = sign1.spans
    if sign1.protected != _ES384_HEADER:
        findings.append(
            Finding(
                f"protected header {sign1.protected[:16].hex() or 'empty'}",
                "a1013822, which is {1: -35}, ES384",
                f"protected, byte {spans['protected'].content}",
            )
        )
    where = f"unprotected, byte {spans['unprotected'].start}"
    if sign1.unprotected is None:
        findings.append(_finding(trouble, "unprotected") if trouble else Finding("", "", where))
    elif sign1.unprotected or spans["unprotected"].end - spans["unprotected"].start != 1:
        # Nothing signs this header: were it free, one document would have endless spellings.
        findings.append(Finding("unprotected header with content", "an empty map, a0", where))
    if len(sign1.payload) > MAX_PAYLOAD_BYTES:
        findings.append(
            Finding(
                f"payload of {len(sign1.payload)} bytes",
                f"at most {MAX_PAYLOAD_BYTES} bytes",
                f"payload, byte {spans['payload'].start}",
            )
        )
    if len(sign1.signature) != _SIGNATURE_BYTES:
        findings.append(
            Finding(
                f"signature of {len(sign1.signature)} bytes",
                f"{_SIGNATURE_BYTES} bytes: r and s of P-384",
                f"signature, byte {spans['signature'].start}",
            )
        )
    return findings


def _payload_rules(root: cbor.Item, base: int) -> list[Finding]:
    if root.kind != "map":
        return [Finding(f"payload that is {root.kind}", "a map", f"payload, byte {base}")]
    return [
        Finding(f"a field name that is {key.kind}", "text", f"payload, byte {base + key.start}")
        for key in root.children[::2]
        if key.kind != "text"
    ]


class _Spans(Mapping[str, FieldSpan]):
    """The byte ranges of a document by name, worked out when they are first looked at."""

    __slots__ = ("_root", "_sign1", "_table")

    def __init__(self, sign1: Sign1, root: cbor.Item | None) -> None:
        self._sign1 = sign1
        self._root = root
        self._table: dict[str, FieldSpan] | None = None

    def _ranges(self) -> dict[str, FieldSpan]:
        if self._table is None:
            self._table = _ranges(self._sign1, self._root)
        return self._table

    def __getitem__(self, name: str) -> FieldSpan:
        return self._ranges()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranges())

    def __len__(self) -> int:
        return len(self._ranges())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._ranges() == dict(other)

    def __hash__(self) -> int:
        return hash(tuple(self._ranges().items()))

    def __repr__(self) -> str:
        return repr(self._ranges())


def _ranges(sign1: Sign1, root: cbor.Item | None) -> dict[str, FieldSpan]:
    base = sign1.spans["payload"].content
    spans = {name: FieldSpan(*span) for name, span in sign1.spans.items()}
    if root is None:
        return spans

    def note(name: str, item: cbor.Item) -> None:
        spans[name] = FieldSpan(item.start + base, item.content + base, item.end + base, base)

    for key, item in root.pairs():
        name = sign1.payload[key.content : key.end].decode()
        name = "pcrs" if name in _PCR_FIELDS else name
        note(name, item)
        if item.kind == "array":
            for index, child in enumerate(item.children):
                note(f"{name}[{index}]", child)
        elif item.kind == "map":
            for child_key, child in item.pairs():
                note(f"{name}[{child_key.argument}]", child)
    return spans


class _Broken(Exception):
    """A field breaks its rule; never leaves this module."""

    def __init__(self, found: str, expected: str, part: str = "") -> None:
        super().__init__(found)
        self.found, self.expected, self.part = found, expected, part


def _read_fields(payload: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding], Kind | None]:
    values: dict[str, Any] = {}
    findings = []
    present = [name for name in _PCR_FIELDS if name in payload]
    kind = _PCR_FIELDS[present[0]] if len(present) == 1 else None
    if kind is None:
        findings.append(
            Finding(" and ".join(present) or "neither", "one of pcrs and nitrotpm_pcrs", "pcrs")
        )
    names = [*_RULES, present[0]] if kind else [*_RULES]
    for name in names:
        target, rule = ("pcrs", _pcrs) if name in _PCR_FIELDS else (name, _RULES[name])
        try:
            values["timestamp_ms" if target == "timestamp" else target] = rule(payload.get(name))
        except _Broken as broken:
            findings.append(Finding(broken.found, broken.expected, name + broken.part))
    return values, findings, kind


def _kind_of(value: Any) -> str:
    return "null or absent" if value is None else type(value).__name__


def _module_id(value: Any) -> str:
    if not isinstance(value, str):
        raise _Broken(_kind_of(value), "text")
    if not 0 < len(value) <= MAX_MODULE_ID_CHARS:
        raise _Broken(f"{len(value)} characters", f"1 to {MAX_MODULE_ID_CHARS} characters")
    return value


def _digest(value: Any) -> str:
    if value != "SHA384":
        raise _Broken(f"{str(value)[:32]!r}", "'SHA384'")
    return "SHA384"


def _timestamp(value: Any) -> int:
    if type(value) is not int:
        raise _Broken(_kind_of(value), "an integer, milliseconds since 1970")
    if not 0 < value <= MAX_TIMESTAMP_MS:
        raise _Broken(f"{value}", f"1 to {MAX_TIMESTAMP_MS} milliseconds")
    return value


def _pcrs(value: Any) -> dict[int, bytes]:
    if not isinstance(value, dict):
        raise _Broken(_kind_of(value), "a map from index to value")
    if not 0 < len(value) <= MAX_PCRS:
        raise _Broken(f"{len(value)} PCRs", f"1 to {MAX_PCRS} PCRs")
    for index, pcr in value.items():
        if type(index) is not int or not 0 <= index < MAX_PCRS:
            raise _Broken(f"index {str(index)[:32]!r}", f"an integer from 0 to {MAX_PCRS - 1}")
        if type(pcr) is not bytes:
            raise _Broken(_kind_of(pcr), "a byte string", f"[{index}]")
        if len(pcr) not in PCR_LENGTHS:
            raise _Broken(f"{len(pcr)} bytes", "32, 48 or 64 bytes", f"[{index}]")
    return {index: value[index] for index in sorted(value)}


def _certificate(value: Any) -> bytes:
    if type(value) is not bytes:
        raise _Broken(_kind_of(value), "a byte string: one DER certificate")
    if not 0 < len(value) <= MAX_CERTIFICATE_BYTES:
        raise _Broken(f"{len(value)} bytes", f"1 to {MAX_CERTIFICATE_BYTES} bytes")
    return value


def _cabundle(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list):
        raise _Broken(_kind_of(value), "an array of DER certificates, root first")
    if not 0 < len(value) <= MAX_CABUNDLE:
        raise _Broken(f"{len(value)} certificates", f"1 to {MAX_CABUNDLE} certificates")
    for index, entry in enumerate(value):
        try:
            _certificate(entry)
        except _Broken as broken:
            raise _Broken(broken.found, broken.expected, f"[{index}]") from None
    return tuple(value)


def _optional(value: Any) -> bytes | None:
    if value is not None and type(value) is not bytes:
        raise _Broken(_kind_of(value), "a byte string or null")
    if value is not None and len(value) > MAX_OPTIONAL_BYTES:
        raise _Broken(f"{len(value)} bytes", f"at most {MAX_OPTIONAL_BYTES} bytes")
    return value


_RULES: dict[str, Callable[[Any], Any]] = {
    "module_id": _module_id,
    "digest": _digest,
    "timestamp": _timestamp,
    "certificate": _certificate,
    "cabundle": _cabundle,
    "public_key": _optional,
    "user_data": _optional,
    "nonce": _optional,
}
