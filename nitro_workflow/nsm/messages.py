"""Requests to the Nitro Security Module and its answers, byte for byte as `nsm-api` writes them.

Serde's externally tagged enums in CBOR: what has no fields is a bare text string (``"GetRandom"``),
what has fields is a map of one entry (``{"DescribePCR": {"index": 0}}``), keys in the order of the
Rust structs. [src: aws-nitro-enclaves-nsm-api src/api/mod.rs]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cbor2

from nitro_workflow.errors import EncodingError, NsmError

__all__ = [
    "ERROR_NAMES",
    "REQUEST_LIMIT",
    "RESPONSE_LIMIT",
    "Attestation",
    "DescribeNsm",
    "DescribePcr",
    "ExtendPcr",
    "GetRandom",
    "LockPcr",
    "LockPcrs",
    "ModuleDescription",
    "PcrState",
    "Request",
    "decode_attestation",
    "decode_description",
    "decode_extended",
    "decode_locked",
    "decode_pcr",
    "decode_random",
    "decode_request",
    "encode_attestation",
    "encode_description",
    "encode_error",
    "encode_extended",
    "encode_locked",
    "encode_pcr",
    "encode_random",
    "encode_request",
]

REQUEST_LIMIT: Final = 0x1000
"""Bytes of a request; more is ``InputTooLarge``. [src: nsm-api src/driver/mod.rs]"""

RESPONSE_LIMIT: Final = 0x3000
"""Bytes of a response buffer. [src: nsm-api src/driver/mod.rs]"""

ERROR_NAMES: Final = frozenset(
    {
        "BufferTooSmall",
        "InputTooLarge",
        "InternalError",
        "InvalidArgument",
        "InvalidIndex",
        "InvalidOperation",
        "InvalidResponse",
        "ReadOnlyIndex",
    }
)

_DEPTH: Final = 4  # the deepest message, a description, nests three containers


@dataclass(frozen=True, slots=True)
class DescribeNsm:
    """Ask for version, module id, number of PCRs, which are locked."""


@dataclass(frozen=True, slots=True)
class GetRandom:
    """Ask for 256 bytes of the module's entropy."""


@dataclass(frozen=True, slots=True)
class DescribePcr:
    """Ask for PCR ``index`` (u16 on the wire)."""

    index: int


@dataclass(frozen=True, slots=True)
class ExtendPcr:
    """Set PCR ``index`` to SHA-384(old ‖ ``data``)."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LockPcr:
    """Make PCR ``index`` read-only for the life of the enclave."""

    index: int


@dataclass(frozen=True, slots=True)
class LockPcrs:
    """Make PCRs 0 … ``range`` - 1 read-only."""

    range: int


@dataclass(frozen=True, slots=True)
class Attestation:
    """Ask for an attestation document with these three fields, each absent or ≤ 1024 bytes."""

    user_data: bytes | None = None
    nonce: bytes | None = None
    public_key: bytes | None = None


Request = DescribeNsm | GetRandom | DescribePcr | ExtendPcr | LockPcr | LockPcrs | Attestation


@dataclass(frozen=True, slots=True)
class ModuleDescription:
    """What the module says of itself; ``locked_pcrs`` in ascending order."""

    version: tuple[int, int, int]
    module_id: str
    max_pcrs: int
    locked_pcrs: tuple[int, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class PcrState:
    """One register: its value (48 bytes) and whether it is read-only."""

    locked: bool
    value: bytes


# -- requests -------------------------------------------------------------------------------------


def encode_request(request: Request) -> bytes:
    """Return the CBOR of ``request``."""
    match request:
        case DescribeNsm():
            body: Any = "DescribeNSM"
        case GetRandom():
            body = "GetRandom"
        case DescribePcr(index):
            body = {"DescribePCR": {"index": index}}
        case ExtendPcr(index, data):
            body = {"ExtendPCR": {"index": index, "data": data}}
        case LockPcr(index):
            body = {"LockPCR": {"index": index}}
        case LockPcrs(count):
            body = {"LockPCRs": {"range": count}}
        case Attestation(user_data, nonce, public_key):
            fields = {"user_data": user_data, "nonce": nonce, "public_key": public_key}
            body = {"Attestation": fields}
    return cbor2.dumps(body)


def decode_request(data: bytes) -> Request:
    """Return the request in ``data``; raises `EncodingError` for anything else.

    As tolerant as the module: unknown fields are ignored, text is taken where bytes are meant, an
    absent field of Attestation is null. [src: QEMU hw/virtio/virtio-nsm.c]
    """
    body = _load(data, "NSM request")
    if body == "DescribeNSM":
        return DescribeNsm()
    if body == "GetRandom":
        return GetRandom()
    if not isinstance(body, dict) or len(body) != 1:
        raise EncodingError("neither a known name nor a map of one entry", where="NSM request")
    ((name, fields),) = body.items()
    if not isinstance(fields, dict):
        raise EncodingError("no map of fields", expected="a map", where=f"NSM request {name}")
    match name:
        case "DescribePCR":
            return DescribePcr(_u16(fields, "index"))
        case "ExtendPCR":
            return ExtendPcr(_u16(fields, "index"), _octets(fields, "data"))
        case "LockPCR":
            return LockPcr(_u16(fields, "index"))
        case "LockPCRs":
            return LockPcrs(_u16(fields, "range"))
        case "Attestation":
            return Attestation(
                *(_maybe(fields, key) for key in ("user_data", "nonce", "public_key"))
            )
    raise EncodingError(f"unknown operation {name!r}", where="NSM request")


# -- responses ------------------------------------------------------------------------------------


def encode_error(name: str) -> bytes:
    """Return ``{"Error": name}``."""
    return cbor2.dumps({"Error": name})


def encode_description(it: ModuleDescription) -> bytes:
    """Return the answer to `DescribeNsm`."""
    major, minor, patch = it.version
    fields = {
        "version_major": major,
        "version_minor": minor,
        "version_patch": patch,
        "module_id": it.module_id,
        "max_pcrs": it.max_pcrs,
        "locked_pcrs": list(it.locked_pcrs),
        "digest": it.digest,
    }
    return cbor2.dumps({"DescribeNSM": fields})


def encode_pcr(state: PcrState) -> bytes:
    """Return the answer to `DescribePcr`."""
    return cbor2.dumps({"DescribePCR": {"lock": state.locked, "data": state.value}})


def encode_extended(value: bytes) -> bytes:
    """Return the answer to `ExtendPcr`: the new value, 48 bytes."""
    return cbor2.dumps({"ExtendPCR": {"data": value}})


def encode_locked(*, several: bool) -> bytes:
    """Return the answer to `LockPcr`, or to `LockPcrs` if ``several``."""
    return cbor2.dumps("LockPCRs" if several else "LockPCR")


def encode_attestation(document: bytes) -> bytes:
    """Return the answer to `Attestation`."""
    return cbor2.dumps({"Attestation": {"document": document}})


def encode_random(random: bytes) -> bytes:
    """Return the answer to `GetRandom`."""
    return cbor2.dumps({"GetRandom": {"random": random}})


def decode_description(data: bytes) -> ModuleDescription:
    """Return the answer to `DescribeNsm`; raises `NsmError` or `EncodingError`."""
    fields = _answer(data, "DescribeNSM")
    version = tuple(_u16(fields, f"version_{part}") for part in ("major", "minor", "patch"))
    locked = fields.get("locked_pcrs")
    module_id, digest = fields.get("module_id"), fields.get("digest")
    if (
        not isinstance(locked, list)
        or not isinstance(module_id, str)
        or not isinstance(digest, str)
    ):
        raise EncodingError("fields of the wrong type", where="NSM answer DescribeNSM")
    indices = tuple(sorted(index for index in locked if isinstance(index, int)))
    return ModuleDescription(
        (version[0], version[1], version[2]), module_id, _u16(fields, "max_pcrs"), indices, digest
    )


def decode_pcr(data: bytes) -> PcrState:
    """Return the answer to `DescribePcr`; raises `NsmError` or `EncodingError`."""
    fields = _answer(data, "DescribePCR")
    return PcrState(fields.get("lock") is True, _octets(fields, "data"))


def decode_extended(data: bytes) -> bytes:
    """Return the new value from the answer to `ExtendPcr`; raises `NsmError` or `EncodingError`."""
    return _octets(_answer(data, "ExtendPCR"), "data")


def decode_locked(data: bytes) -> None:
    """Check the answer to `LockPcr` or `LockPcrs`; raises `NsmError` or `EncodingError`."""
    body = _load(data, "NSM answer")
    if body not in ("LockPCR", "LockPCRs"):
        _raise_error(body)
        raise EncodingError(f"{body!r:.60}", expected="LockPCR or LockPCRs", where="NSM answer")


def decode_attestation(data: bytes) -> bytes:
    """Return the document in the answer to `Attestation`; raises `NsmError`, `EncodingError`."""
    return _octets(_answer(data, "Attestation"), "document")


def decode_random(data: bytes) -> bytes:
    """Return the bytes from the answer to `GetRandom`; raises `NsmError` or `EncodingError`."""
    return _octets(_answer(data, "GetRandom"), "random")


def _load(data: bytes, where: str) -> Any:
    if not data:
        raise EncodingError("no bytes", expected="one CBOR item", where=where)
    try:
        return cbor2.loads(data, max_depth=_DEPTH)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise EncodingError(f"not CBOR ({type(error).__name__})", where=where) from error


def _answer(data: bytes, name: str) -> dict[Any, Any]:
    body = _load(data, "NSM answer")
    if isinstance(body, dict) and isinstance(body.get(name), dict):
        fields: dict[Any, Any] = body[name]
        return fields
    _raise_error(body)
    raise EncodingError("another answer", expected=f'{{"{name}": …}}', where="NSM answer")


def _raise_error(body: Any) -> None:
    if isinstance(body, dict) and isinstance(body.get("Error"), str):
        name = body["Error"]
        raise NsmError(
            f"the Nitro Security Module answered {name}",
            where="NSM",
            next="see the operation's limits: PCR index 0-31, fields ≤ 1024 bytes",
            code=name if name in ERROR_NAMES else "NsmError",
        )


def _u16(fields: dict[Any, Any], key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0xFFFF:
        raise EncodingError(f"{key} is {value!r:.40}", expected="0 to 65535", where="NSM")
    return value


def _octets(fields: dict[Any, Any], key: str) -> bytes:
    value = _maybe(fields, key)
    if value is None:
        raise EncodingError(f"no {key}", expected="a byte string", where="NSM")
    return value


def _maybe(fields: dict[Any, Any], key: str) -> bytes | None:
    value = fields.get(key)
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise EncodingError(f"{key} is {type(value).__name__}", expected="a byte string", where="NSM")
