"""Where PCRs are told: a document, an image, a key policy, nitro-cli's JSON, or plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike
from typing import Any

from nitro_workflow import policy
from nitro_workflow.attestation import AttestationDocument, parse_document
from nitro_workflow.image import Image, Measurements, measure_file, measure_image

__all__ = ["PcrSource", "pcr_source"]


@dataclass(frozen=True, slots=True)
class PcrSource:
    """One column: ``registers`` maps a PCR's index to its values in lower case, one or more.

    ``how`` says whose word they are, ``silence`` what it means that a PCR is not among them.
    """

    name: str
    how: str = ""
    registers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    silence: str = "not told"


def pcr_source(name: str, value: Any) -> PcrSource:
    """Return what a thing says of the PCRs, under the heading ``name``.

    It may be a parsed document, an `Image`, `Measurements`, the path of an EIF, bytes of a
    document, a key policy (also GetKeyPolicy's answer), nitro-cli's JSON, or index → digits.
    Raises what reading raises: `ImageError`, `AttestationError`, `PolicyError`.
    """
    match value:
        case PcrSource():
            return value
        case AttestationDocument():
            return PcrSource(name, "signed", _plain(value.pcrs.items()), "not in the document")
        case Measurements():
            return _measured(name, value)
        case Image():
            return _measured(name, measure_image(value))
        case str() | PathLike() | BytesIO():
            return _measured(name, measure_file(value))
        case bytes():
            return pcr_source(name, parse_document(value))
        case policy.Policy():
            return PcrSource(name, "asked for", _asked_for(value), "not asked for")
        case Mapping():
            return _mapping(name, value)
    return PcrSource(name)


def _measured(name: str, measured: Measurements) -> PcrSource:
    registers = _plain(measured.registers.items())
    return PcrSource(name, "measured here", registers, "not in the image")


def _mapping(name: str, value: Mapping[Any, Any]) -> PcrSource:
    if "Statement" in value or isinstance(value.get("Policy"), str):
        document = value if "Statement" in value else value["Policy"]  # or GetKeyPolicy's answer
        return pcr_source(name, policy.parse_policy_leniently(document, name=name))
    if isinstance(value.get("Measurements"), Mapping):
        return PcrSource(name, "nitro-cli's word", _plain(value["Measurements"].items()))
    how, silence = _WORDS.get(name, ("", "not told"))
    return PcrSource(name, how, _plain(value.items()), silence)


# What plain values under a known heading are, and what it means that one is not among them.
_WORDS = {
    "document": ("signed", "not in the document"),
    "image": ("measured here", "not in the image"),
    "key policy": ("asked for", "not asked for"),
    "policy": ("asked for", "not asked for"),
    "nitro-cli": ("nitro-cli's word", "not told"),
}


def _plain(pairs: Iterable[tuple[Any, Any]]) -> dict[int, tuple[str, ...]]:
    """Read index → digits, whatever spells either; what is no register is left out."""
    found: dict[int, tuple[str, ...]] = {}
    for key, value in pairs:
        index = _index(key)
        if index is not None and (digits := _digits(value)):
            found[index] = (digits,)
    return found


def _index(key: object) -> int | None:
    if isinstance(key, bool):
        return None
    text = str(key).upper().removeprefix("PCR")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else None


def _digits(value: object) -> str:
    """Return a PCR as it is compared: in small letters, bytes as hex digits."""
    if value is None:
        return ""
    return value.hex() if isinstance(value, bytes) else str(value).strip().lower()


def _asked_for(parsed: policy.Policy) -> dict[int, tuple[str, ...]]:
    """Return the values that an Allow asks for; where none does, those that a Deny excepts."""
    allowed = _compared(parsed.allows, negated=False)
    return allowed or _compared(parsed.denies, negated=True)


def _compared(
    statements: Iterable[policy.Statement], *, negated: bool
) -> dict[int, tuple[str, ...]]:
    found: dict[int, dict[str, None]] = {}
    for statement in statements:
        for condition in statement.conditions:
            key, base = policy.parse_key(condition.key), condition.operator.base
            if (
                key is None
                or key.nitrotpm
                or base.family != "String"
                or base.negated is not negated
            ):
                continue
            values = found.setdefault(key.index, {})
            values.update(dict.fromkeys(value.lower() for value in condition.values))
    return {index: tuple(values) for index, values in sorted(found.items())}
