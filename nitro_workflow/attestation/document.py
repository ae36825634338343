"""What an attestation document is: the record, its limits, and where each field stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from nitro_workflow.encoding.cbor import Limits
from nitro_workflow.encoding.cose import Sign1

__all__ = [
    "DOCUMENT_LIMITS",
    "MAX_CABUNDLE",
    "MAX_CERTIFICATE_BYTES",
    "MAX_MODULE_ID_CHARS",
    "MAX_OPTIONAL_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MAX_PCRS",
    "MAX_TIMESTAMP_MS",
    "PCR_LENGTHS",
    "AttestationDocument",
    "Defect",
    "FieldSpan",
    "Kind",
    "Mode",
    "instance_of",
    "mode_of",
    "seconds_hint",
    "time_of",
]

Kind = Literal["enclave", "nitrotpm"]
Mode = Literal["production", "debug"]

DOCUMENT_LIMITS = Limits(max_bytes=262_144, max_items=1_024, max_depth=8)
"""Bytes: what KMS takes as ``Recipient.AttestationDocument`` (KMS API). A document with 32 PCRs has
about 130 items, four levels deep; the rest is room for fields that AWS may add."""

MAX_PAYLOAD_BYTES = 16_384
"""Bytes of the payload (attestation_process.md §3.1, ``bstr .size (1..16384)``)."""

MAX_PCRS = 32
"""PCRs, with indices 0 to 31 (AWS, attestation_process.md: ``0..31 => pcr``)."""

PCR_LENGTHS = frozenset({32, 48, 64})
"""Bytes of a PCR (attestation_process.md); with the digest SHA384, hardware always gives 48."""

MAX_CERTIFICATE_BYTES = 1_024
"""Bytes of one DER certificate (attestation_process.md, ``cert = bytes .size (1..1024)``)."""

MAX_CABUNDLE = 10
"""Certificates above the leaf. AWS sends four; its text gives no bound, so this one is ours."""

MAX_OPTIONAL_BYTES = 1_024
"""Bytes of ``public_key``, ``user_data`` and ``nonce`` each: genuine documents carry 1,024."""

MAX_MODULE_ID_CHARS = 256
"""Characters. AWS's are about 40 long; its text gives no bound, so this one is ours."""

MAX_TIMESTAMP_MS = 253_402_300_799_999
"""Milliseconds since 1970: the end of year 9999, where calendars of most languages stop."""


_SECONDS_FROM = 1_400_000_000
_SECONDS_UNTIL = 4_102_444_800
"""Seconds since 1970, years 2014 to 2100: as milliseconds, January and February 1970."""


class FieldSpan(NamedTuple):
    """Where a field's value stands: byte offsets in the whole message, ``end`` exclusive.

    ``start`` is the item's first byte, ``content`` the first after its CBOR head. ``base`` is the
    message offset at which the payload begins, None for what is not in the payload.
    """

    start: int
    content: int
    end: int
    base: int | None = None

    @property
    def in_payload(self) -> tuple[int, int] | None:
        """The item's range in the payload, or None where it is not in the payload."""
        return None if self.base is None else (self.start - self.base, self.end - self.base)


class Defect(NamedTuple):
    """What a check saw, what it wanted, and where."""

    found: str
    expected: str
    where: str


@dataclass(frozen=True, slots=True)
class AttestationDocument:
    """What a document says. Nothing of it has been verified: see `Verifier`.

    ``pcrs`` maps index to value. ``certificate`` and ``cabundle`` (root first) are DER. A field
    that is absent or null is None; an empty one is ``b""``. ``spans`` has the byte range of
    ``message``, ``protected``, ``unprotected``, ``payload``, ``signature``, of each field by its
    name, and of ``pcrs[3]`` and ``cabundle[0]``. ``unknown`` names fields that this package does
    not know: they are signed like the rest, and are not judged.
    """

    kind: Kind
    module_id: str
    digest: str
    timestamp_ms: int
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None
    raw: bytes
    sign1: Sign1
    spans: Mapping[str, FieldSpan]
    unknown: tuple[str, ...] = ()

    @property
    def is_debug(self) -> bool:
        """Whether an enclave ran in debug mode: PCR0 is all zero (facts: PCR3 and 4 are not)."""
        return self.mode == "debug"

    @property
    def mode(self) -> Mode | None:
        """``production`` or ``debug``; None for a NitroTPM document and where PCR0 is missing."""
        return mode_of(self.kind, self.pcrs)

    @property
    def timestamp(self) -> datetime:
        """The document's own time, in UTC."""
        return time_of(self.timestamp_ms)

    @property
    def instance_id(self) -> str:
        """The EC2 instance: ``module_id`` up to ``-enc`` or ``-tpm``."""
        return instance_of(self.module_id)

    def pcr_hex(self, index: int) -> str:
        """Return a PCR in lower-case hex, ``""`` where the document does not have it."""
        return self.pcrs.get(index, b"").hex()


def mode_of(kind: Kind | None, pcrs: Mapping[int, bytes]) -> Mode | None:
    """Return the mode of an enclave document. NitroTPM has no debug mode: None."""
    if kind != "enclave" or 0 not in pcrs:
        return None
    return "production" if any(pcrs[0]) else "debug"


def time_of(timestamp_ms: int) -> datetime:
    """Return milliseconds since 1970 as a time in UTC, exactly."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=timestamp_ms)


def seconds_hint(timestamp_ms: int) -> str:
    """Return a hint where a timestamp is likely in seconds: no enclave is of 1970; else nothing."""
    if not _SECONDS_FROM <= timestamp_ms < _SECONDS_UNTIL:
        return ""
    moment = time_of(timestamp_ms * 1000).isoformat()
    return f"timestamp {timestamp_ms} looks like seconds ({moment}); documents have milliseconds"


def instance_of(module_id: str) -> str:
    """Return the instance id within a module id."""
    for mark in ("-enc", "-tpm"):
        head, found, _ = module_id.partition(mark)
        if found:
            return head
    return module_id
