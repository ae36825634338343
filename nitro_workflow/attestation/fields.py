"""The rule of every field of a document (AWS, attestation_process.md §3.2.2).

Where AWS's own documents are wider than that text (1,024 bytes of ``user_data``, an empty
``public_key``, null for what is absent), the documents are followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.attestation.document import (
    MAX_CABUNDLE,
    MAX_CERTIFICATE_BYTES,
    MAX_MODULE_ID_CHARS,
    MAX_OPTIONAL_BYTES,
    MAX_PCRS,
    MAX_TIMESTAMP_MS,
    PCR_LENGTHS,
    Defect,
    Kind,
)

__all__ = ["PCR_FIELDS", "RULES", "read_fields"]

PCR_FIELDS: dict[str, Kind] = {"pcrs": "enclave", "nitrotpm_pcrs": "nitrotpm"}
"""The field that holds the PCRs tells the kind of document."""


class _Broken(Exception):
    """A field breaks its rule; never leaves this module."""

    def __init__(self, found: str, expected: str, part: str = "") -> None:
        super().__init__(found)
        self.found, self.expected, self.part = found, expected, part


def read_fields(payload: Mapping[str, Any]) -> tuple[dict[str, Any], list[Defect], Kind | None]:
    """Return the fields that keep their rules, what the others break, and the document's kind.

    ``timestamp`` becomes ``timestamp_ms``, ``nitrotpm_pcrs`` becomes ``pcrs``.
    """
    values: dict[str, Any] = {}
    findings = []
    present = [name for name in PCR_FIELDS if name in payload]
    kind = PCR_FIELDS[present[0]] if len(present) == 1 else None
    if kind is None:
        findings.append(
            Defect(" and ".join(present) or "neither", "one of pcrs and nitrotpm_pcrs", "pcrs")
        )
    names = [*RULES, present[0]] if kind else [*RULES]
    for name in names:
        target, rule = ("pcrs", _pcrs) if name in PCR_FIELDS else (name, RULES[name])
        try:
            values["timestamp_ms" if target == "timestamp" else target] = rule(payload.get(name))
        except _Broken as broken:
            findings.append(Defect(broken.found, broken.expected, name + broken.part))
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
        finer = ", likely in micro- or nanoseconds" if value > MAX_TIMESTAMP_MS else ""
        raise _Broken(f"{value}{finer}", f"1 to {MAX_TIMESTAMP_MS} milliseconds")
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


RULES: dict[str, Callable[[Any], Any]] = {
    "module_id": _module_id,
    "digest": _digest,
    "timestamp": _timestamp,
    "certificate": _certificate,
    "cabundle": _cabundle,
    "public_key": _optional,
    "user_data": _optional,
    "nonce": _optional,
}
