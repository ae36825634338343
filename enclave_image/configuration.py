"""The measured configuration: what the enclave trusts because it is part of PCR2.

It lies in the image at `CONFIG_PATH`. Whoever changes one byte of it gets another PCR0 and PCR2,
and with them no data key. What is not here (credentials, ciphertext, nonce) comes over vsock and
needs no trust.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from nitro_workflow.errors import InputError

__all__ = ["CONFIG_PATH", "MIN_THRESHOLD", "MeasuredConfig", "Program", "Query", "parse_config"]

CONFIG_PATH = "/etc/nitro-workflow/config.json"

MIN_THRESHOLD = 2
"""Customers; a group of one is a person."""

MAX_CONFIG_BYTES = 64 * 1024
MAX_COLUMNS = 64
MAX_ARGUMENTS = 64
KINDS = ("integer", "cents")

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")
_PROGRAM = re.compile(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)?", re.ASCII)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Query:
    """One aggregation: count all rows by ``group_by``; add up ``measures`` (column → kind).

    Kinds: ``integer`` (``-12``), ``cents`` (``-12.50``, kept as whole cents).
    """

    processor: ClassVar[str] = "enclave_image.inside.query:Aggregator"
    """``module:class`` of what runs it in the enclave."""

    columns: tuple[str, ...]
    group_by: str
    measures: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that `parse_config` reads."""
        return {
            "columns": list(self.columns),
            "group_by": self.group_by,
            "measures": dict(self.measures),
        }


@dataclass(frozen=True, slots=True)
class Program:
    """Another application's work: its ``module:class``, and what it is told, all of it measured.

    Both are empty where the image's own program reads them: it is no Python of ours then.
    """

    processor: ClassVar[str] = "enclave_image.applications.program:ProgramRunner"

    program: str
    arguments: Mapping[str, str | int]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that `parse_config` reads."""
        return {"program": self.program, "arguments": dict(self.arguments)}


@dataclass(frozen=True, slots=True)
class MeasuredConfig:
    """What `CONFIG_PATH` says. Texts are as in the JSON; ``ca_pem`` is the only CA set trusted."""

    region: str
    kms_host: str
    kms_port_vsock: int
    ca_pem: str
    key_arn: str
    encryption_context: Mapping[str, str]
    query: Query | Program
    threshold: int
    owner_public_key_pem: str
    owner_result_context: Mapping[str, str]

    def to_json(self) -> bytes:
        """Return the file's bytes: sorted keys, so that the same values give the same PCRs."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        values["query"] = self.query.to_json()
        values["encryption_context"] = dict(self.encryption_context)
        values["owner_result_context"] = dict(self.owner_result_context)
        return json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"


def parse_config(data: bytes) -> MeasuredConfig:
    """Read the measured configuration strictly: every field present, none unknown.

    Raises `InputError` where a value is missing, unknown, or not what it should be.
    """
    values = _object(_json(data), "configuration")
    names = {f.name for f in fields(MeasuredConfig)}
    if set(values) != names:
        odd = sorted(set(values) ^ names)
        raise _refuse(f"missing or unknown: {', '.join(odd)}", "exactly the known fields", "")
    return MeasuredConfig(
        region=_text(values, "region"),
        kms_host=_matching(values, "kms_host", _HOST, "a DNS name"),
        kms_port_vsock=_number(values, "kms_port_vsock", 1, 2**32 - 2),
        ca_pem=_pem(values, "ca_pem"),
        key_arn=_matching(values, "key_arn", _KEY_ARN, "the ARN of a KMS key, not of an alias"),
        encryption_context=_context(values, "encryption_context"),
        query=_work(_object(values["query"], "query")),
        threshold=_number(values, "threshold", MIN_THRESHOLD, 10**9),
        owner_public_key_pem=_pem(values, "owner_public_key_pem"),
        owner_result_context=_context(values, "owner_result_context"),
    )


def _json(data: bytes) -> object:
    if len(data) > MAX_CONFIG_BYTES:
        raise _refuse(f"{len(data)} bytes", f"at most {MAX_CONFIG_BYTES}", "")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refuse("not JSON", "one JSON object", "") from error


def _work(values: Mapping[str, Any]) -> Query | Program:
    return _program(values) if "program" in values else _query(values)


def _program(values: Mapping[str, Any]) -> Program:
    if set(values) != {"program", "arguments"}:
        raise _refuse("other fields", "program, arguments", "query")
    name, arguments = values["program"], _object(values["arguments"], "query.arguments")
    if not isinstance(name, str) or not _PROGRAM.fullmatch(name):
        raise _refuse(f"{name!r:.60}", "module:class, or nothing", "query.program")
    if len(arguments) > MAX_ARGUMENTS or not all(map(_is_argument, arguments.values())):
        raise _refuse(
            "other values", f"at most {MAX_ARGUMENTS} texts and numbers", "query.arguments"
        )
    return Program(name, arguments)


def _is_argument(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _query(values: Mapping[str, Any]) -> Query:
    columns = values.get("columns")
    if (
        not isinstance(columns, list)
        or not 0 < len(columns) <= MAX_COLUMNS
        or not all(isinstance(name, str) and name for name in columns)
        or len(set(columns)) != len(columns)
    ):
        raise _refuse("no list of names", "the CSV's header, each name once", "query.columns")
    group_by = _text(values, "group_by")
    if group_by not in columns:
        raise _refuse(f"{group_by!r}", "one of the columns", "query.group_by")
    measures = _object(values.get("measures"), "query.measures")
    for name, kind in measures.items():
        if name not in columns or kind not in KINDS:
            raise _refuse(f"{name!r}: {kind!r}", f"column: {' | '.join(KINDS)}", "query.measures")
    return Query(tuple(columns), group_by, dict(measures))


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(type(value).__name__, "an object", where)
    return value


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise _refuse(type(value).__name__, "a text", name)
    return value


def _matching(values: Mapping[str, Any], name: str, form: re.Pattern[str], expected: str) -> str:
    value = _text(values, name)
    if not form.fullmatch(value):
        raise _refuse(f"{value!r}", expected, name)
    return value


def _pem(values: Mapping[str, Any], name: str) -> str:
    value = _text(values, name)
    if not value.startswith("-----BEGIN "):
        raise _refuse("no PEM block", "PEM text", name)
    return value


def _number(values: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _refuse(f"{value!r}", f"a whole number from {low} to {high}", name)
    return value


def _context(values: Mapping[str, Any], name: str) -> dict[str, str]:
    value = _object(values.get(name), name)
    if not value or not all(isinstance(v, str) and k and v for k, v in value.items()):
        raise _refuse("an empty context or a value that is not text", "texts by name", name)
    return value


def _refuse(found: str, expected: str, where: str) -> InputError:
    return InputError(
        found,
        expected=expected,
        where=f"measured configuration{': ' + where if where else ''}",
        next="build the image again from a complete configuration",
        code="ConfigError",
    )
