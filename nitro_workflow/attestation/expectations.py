"""What a caller expects; expected PCRs from nitro-cli's JSON, a KMS key policy, a line of text.

>>> parse_pcr("PCR3=arn:aws:iam::111122223333:role/ParentInstance").values[3][0] == pcr3(
...     "arn:aws:iam::111122223333:role/ParentInstance"
... )
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from nitro_workflow.attestation.document import Kind
from nitro_workflow.attestation.pcrs import (
    PcrExpectation,
    PcrValues,
    all_of,
    any_of,
    exactly,
    one_of_values,
    pcr3,
    pcr4,
)
from nitro_workflow.errors import PolicyError, UsageError
from nitro_workflow.registers import PCR_BYTES

__all__ = ["AUTHENTIC", "Expected", "from_key_policy", "from_measurements", "parse_pcr"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a caller expects of a document beyond authenticity; None expects nothing.

    ``nonce``, ``user_data`` and ``public_key`` are compared byte for byte, an empty value with an
    empty one. ``max_age`` is between the document's time and the time it is judged at.
    """

    nonce: bytes | None = None
    max_age: timedelta | None = None
    pcrs: PcrExpectation | None = None
    user_data: bytes | None = None
    public_key: bytes | None = None


AUTHENTIC = Expected()
"""Expects nothing beyond authenticity: right for reading, not for trusting an enclave."""

_PCR = re.compile(r"(?:PCR)?(\d{1,2})", re.ASCII | re.IGNORECASE)
_GIVEN = re.compile(r"\s*(?:PCR)?(\d{1,2})\s*[=:]\s*(.*?)\s*", re.ASCII | re.IGNORECASE)
_KEY = re.compile(
    r"kms:RecipientAttestation:(?:(ImageSha384)|(NitroTPM)?PCR(\d{1,2}))", re.ASCII | re.IGNORECASE
)
_ELSEWHERE = "Use `nitro-workflow policy`, which evaluates whole policies."


def parse_pcr(text: str) -> PcrValues:
    """Return the expectation ``N=VALUE``, as in ``PCR0=<96 hex digits>`` (``0:…`` is taken too).

    PCR3 also takes a role's ARN and PCR4 an instance id. Raises `UsageError` for other text.
    """
    match = _GIVEN.fullmatch(text)
    if match is None:
        raise UsageError(repr(text)[:200], expected="N=HEX, as in 0=<96 digits>", where="--pcr")
    index, value = int(match.group(1)), match.group(2)
    if index == 3 and value.startswith("arn:"):
        return exactly({3: pcr3(value)}, f"PCR3 of {value}")
    if index == 4 and value.startswith("i-"):
        return exactly({4: pcr4(value)}, f"PCR4 of {value}")
    return exactly({index: _hex(value, f"PCR{index}")}, f"PCR{index} as given")


def from_measurements(record: object, label: str) -> PcrValues:
    """Return the expectation of nitro-cli's JSON: of build-enclave, describe-eif, run, describe.

    ``record`` is the parsed JSON, with ``Measurements`` or without (eif_build prints it bare).
    Raises `UsageError` where it holds no PCR.
    """
    inner = record.get("Measurements", record) if isinstance(record, Mapping) else {}
    found = {
        int(match.group(1)): _hex(value, f"{label}, {key}")
        for key, value in (inner.items() if isinstance(inner, Mapping) else ())
        if isinstance(key, str) and key.upper().startswith("PCR") and (match := _PCR.fullmatch(key))
    }
    if not found:
        raise UsageError(
            "no PCR",
            expected='nitro-cli\'s JSON: {"Measurements": {"PCR0": …}}',
            where=label,
            next="Give what `nitro-cli describe-eif` prints.",
        )
    return exactly(found, label)


def _hex(value: object, where: str) -> bytes:
    if isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]*", value) and len(value) % 2 == 0:
        data = bytes.fromhex(value)
        if len(data) == PCR_BYTES:
            return data
    found = f"{len(value)} characters" if isinstance(value, str) else type(value).__name__
    raise UsageError(found, expected=f"{2 * PCR_BYTES} hex digits", where=where)


def from_key_policy(policy: object, label: str) -> PcrExpectation:
    """Return the PCRs that a KMS key policy lets through by ``kms:RecipientAttestation:…``.

    ``policy`` is the parsed JSON. Values of a key are alternatives, keys of a statement must all
    hold, and Allow statements are alternatives (IAM user guide, "multiple keys or values"); what
    the Denies with StringNotEquals… ask for must hold too. Raises `PolicyError` where the policy
    has no such condition, or one that is not a plain list of PCRs.
    """
    statements = policy.get("Statement") if isinstance(policy, Mapping) else None
    rows = [statements] if isinstance(statements, Mapping) else statements
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise PolicyError("no statements", expected="a key policy", where=f"{label}, Statement")
    allows, denies = [], []
    for number, row in enumerate(rows):
        where = f"{label}, Statement[{number}]"
        name = f"{label}, {row['Sid']}" if isinstance(row.get("Sid"), str) else where
        deny = row.get("Effect") == "Deny"
        keys = list(_conditions(row.get("Condition"), name, where, deny=deny))
        if keys and deny:
            denies.append(any_of(*keys))
        elif keys:
            allows.append(all_of(*keys))
    if not allows and not denies:
        raise PolicyError(
            "no condition kms:RecipientAttestation:…",
            expected="an Allow with PCRs",
            where=label,
            next="This policy asks for no attestation: compare it with step P7's.",
        )
    return all_of(*([any_of(*allows)] if allows else []), *denies)


def _conditions(
    condition: object, label: str, where: str, *, deny: bool
) -> Iterable[PcrExpectation]:
    if not isinstance(condition, Mapping):
        return
    for operator, block in condition.items():
        if not isinstance(block, Mapping):
            continue
        for key, wanted in block.items():
            match = _KEY.fullmatch(key) if isinstance(key, str) else None
            # A document gives every key a value: asking that there be one asks nothing more.
            asks_presence = operator == "Null" and str(wanted).lower() == str(deny).lower()
            if match and not asks_presence:
                values = _values(operator, wanted, f"{where}, {operator}, {key}", deny=deny)
                index = 0 if match.group(1) else int(match.group(3))
                kind: Kind = "nitrotpm" if match.group(2) else "enclave"
                yield one_of_values({index: values}, label, kind=kind)


def _values(operator: str, wanted: Any, where: str, *, deny: bool) -> tuple[bytes, ...]:
    plain = "StringNotEquals" if deny else "StringEquals"
    if operator not in (plain, f"{plain}IgnoreCase"):
        raise PolicyError(
            f"operator {operator}", expected=f"{plain}IgnoreCase", where=where, next=_ELSEWHERE
        )
    texts = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise PolicyError("no text", expected="a string or a list of strings", where=where)
    # KMS compares with lower-case hex: under StringEquals an upper-case value never matches.
    usable = [t for t in texts if operator.endswith("IgnoreCase") or t == t.lower()]
    values = []
    for text in usable:
        try:
            values.append(_hex(text, where))
        except UsageError as error:
            raise PolicyError(error.found, expected=error.expected, where=where) from None
    if not values:
        raise PolicyError(
            "only values that can never match",
            expected="lower-case hex, or StringEqualsIgnoreCase",
            where=where,
        )
    return tuple(values)
