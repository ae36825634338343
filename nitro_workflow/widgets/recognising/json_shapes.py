"""What a JSON value, or a dictionary of boto3, is; and which of its fields hold bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard

from nitro_workflow.widgets.recognising.recognised import FoundKind

__all__ = ["InnerJson", "byte_fields", "inner_json", "shape_of"]

_NITRO_CLI = {"Measurements", "EnclaveID", "EnclaveCID", "EifVersion", "PCR0", "EnclaveName"}
_MAX_DEPTH = 5
_MAX_FIELDS = 400
_SHORTEST = 16  # characters of a text that may hold bytes of a known form
# Fields that hold JSON as text: get-key-policy's, CloudTrail's lookup-events, SQS and SNS.
_JSON_TEXT = ("Policy", "PolicyDocument", "CloudTrailEvent", "Message", "policy")


def shape_of(value: object) -> tuple[FoundKind, str] | None:
    """Return kind and reason of a JSON value that is of a known form by its fields."""
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return shape_of(value[0])
    if not isinstance(value, Mapping):
        return None
    if "Statement" in value:
        return "policy", "JSON with Statement"
    if isinstance(value.get("Records"), list) and _is_record(_first(value["Records"])):
        return "cloudtrail", "JSON with CloudTrail's Records"
    if isinstance(value.get("Events"), list) and "CloudTrailEvent" in (
        _first(value["Events"]) or {}
    ):
        return "cloudtrail", "the answer of CloudTrail's LookupEvents"
    if _is_record(value):
        return "cloudtrail", "JSON with eventName and eventSource"
    named = sorted(_NITRO_CLI & value.keys())
    if named:
        return "nitro-cli", f"nitro-cli's JSON, with {', '.join(named)}"
    return None


def _first(values: object) -> Mapping[str, Any] | None:
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, Mapping) else None


def _is_record(value: object) -> bool:
    return isinstance(value, Mapping) and {"eventName", "eventSource"} <= value.keys()


class InnerJson(NamedTuple):
    """A field that holds JSON: its name, its value, and whether it was text."""

    name: str
    value: Any
    was_text: bool


def inner_json(value: object) -> InnerJson | None:
    """Return a field that holds JSON as text, or a policy as an object."""
    if not isinstance(value, Mapping):
        return None
    for name in _JSON_TEXT:
        held = value.get(name)
        if isinstance(held, str) and held.lstrip()[:1] == "{":
            try:
                return InnerJson(name, json.loads(held), True)
            except (ValueError, RecursionError):
                continue
        if isinstance(held, Mapping):
            return InnerJson(name, held, False)
    return None


def byte_fields(
    value: object, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Yield the fields that may hold bytes: bytes, long texts, arrays of bytes; with their path."""
    for count, found in enumerate(_fields(value, path)):
        if count >= _MAX_FIELDS:
            return
        yield found


def _fields(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes]]:
    if isinstance(value, bytes | bytearray):
        yield path, bytes(value)
    elif isinstance(value, str):
        if len(value) >= _SHORTEST:
            yield path, value.encode("utf-8", "surrogatepass")
    elif _is_byte_array(value):
        yield path, bytes(value)
    elif len(path) < _MAX_DEPTH:
        if isinstance(value, Mapping):
            for name, held in value.items():
                yield from _fields(held, (*path, f"field {str(name)[:60]}"))
        elif isinstance(value, list | tuple):
            for index, held in enumerate(value[:_MAX_FIELDS]):
                yield from _fields(held, (*path, f"item {index}"))


def _is_byte_array(value: object) -> TypeGuard[list[int]]:
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(type(byte) is int and 0 <= byte < 256 for byte in value)
