"""Bytes to document, without belief.

`examine` reads what can be read and notes every broken rule; `parse_document` raises the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nitro_workflow.attestation.document import (
    DOCUMENT_LIMITS,
    MAX_PAYLOAD_BYTES,
    AttestationDocument,
    Defect,
    FieldSpan,
    Kind,
    Mode,
    mode_of,
)
from nitro_workflow.attestation.fields import PCR_FIELDS, RULES, read_fields
from nitro_workflow.attestation.spans import Spans
from nitro_workflow.encoding import cbor
from nitro_workflow.encoding.cose import Sign1, read_sign1
from nitro_workflow.errors import DocumentError, EncodingError

__all__ = ["Reading", "examine", "parse_document"]

_ES384_HEADER = bytes.fromhex("a1013822")  # {1: -35}
_SIGNATURE_BYTES = 96
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
    shape: tuple[Defect, ...]
    fields: tuple[Defect, ...]

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
    spans = Spans(sign1, root)
    values, fields, kind = read_fields(payload)
    unknown = tuple(name for name in payload if name not in RULES and name not in PCR_FIELDS)
    return Reading(data, sign1, payload, values, kind, spans, unknown, tuple(shape), tuple(fields))


def _unreadable(data: bytes, sign1: Sign1 | None, shape: tuple[Defect, ...]) -> Reading:
    spans: Mapping[str, FieldSpan] = {} if sign1 is None else Spans(sign1, None)
    return Reading(data, sign1, None, {}, None, spans, (), shape, ())


def _finding(error: EncodingError, part: str, base: int = 0) -> Defect:
    offset = base + (error.offset or 0)
    return Defect(error.found, error.expected, f"{part}, byte {offset}")


def _header_rules(sign1: Sign1, trouble: EncodingError | None) -> list[Defect]:
    """RFC 9052 §4.2 as AWS uses it: ES384 in the protected header, nothing in the other."""
    findings = []
    spans = sign1.spans
    if sign1.protected != _ES384_HEADER:
        findings.append(
            Defect(
                f"protected header {sign1.protected[:16].hex() or 'empty'}",
                "a1013822, which is {1: -35}, ES384",
                f"protected, byte {spans['protected'].content}",
            )
        )
    where = f"unprotected, byte {spans['unprotected'].start}"
    if sign1.unprotected is None:
        findings.append(_finding(trouble, "unprotected") if trouble else Defect("", "", where))
    elif sign1.unprotected or spans["unprotected"].end - spans["unprotected"].start != 1:
        # Nothing signs this header: were it free, one document would have endless spellings.
        findings.append(Defect("unprotected header with content", "an empty map, a0", where))
    if len(sign1.payload) > MAX_PAYLOAD_BYTES:
        findings.append(
            Defect(
                f"payload of {len(sign1.payload)} bytes",
                f"at most {MAX_PAYLOAD_BYTES} bytes",
                f"payload, byte {spans['payload'].start}",
            )
        )
    if len(sign1.signature) != _SIGNATURE_BYTES:
        findings.append(
            Defect(
                f"signature of {len(sign1.signature)} bytes",
                f"{_SIGNATURE_BYTES} bytes: r and s of P-384",
                f"signature, byte {spans['signature'].start}",
            )
        )
    return findings


def _payload_rules(root: cbor.Item, base: int) -> list[Defect]:
    if root.kind != "map":
        return [Defect(f"payload that is {root.kind}", "a map", f"payload, byte {base}")]
    return [
        Defect(f"a field name that is {key.kind}", "text", f"payload, byte {base + key.start}")
        for key in root.children[::2]
        if key.kind != "text"
    ]
