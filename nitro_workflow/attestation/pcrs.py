"""PCRs that are known beforehand, and expectations about them that can be combined.

>>> pcr4("i-0ffff615a409a72d7").hex()[:16]
'6386cee86c94b2a7'
>>> old, new = {0: bytes(47) + b"1"}, {0: bytes(47) + b"2"}
>>> rolling = any_of(exactly(old, "release 1"), exactly(new, "release 2"))
>>> rolling.judge(new).matched, rolling.judge(new).label
(True, 'release 2')
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nitro_workflow.attestation.document import MAX_PCRS, PCR_LENGTHS, Kind
from nitro_workflow.errors import UsageError
from nitro_workflow.registers import ZERO_PCR

__all__ = [
    "AllOf",
    "AnyOf",
    "PcrExpectation",
    "PcrJudgement",
    "PcrRow",
    "PcrValues",
    "all_of",
    "any_of",
    "exactly",
    "extend",
    "one_of_values",
    "pcr3",
    "pcr4",
    "pcr8",
]


def extend(data: bytes) -> bytes:
    """Return what a PCR of zeros becomes when it is extended once: SHA-384(48 zeros ‖ data)."""
    return hashlib.sha384(ZERO_PCR + data).digest()


def pcr3(role_arn: str) -> bytes:
    """Return PCR3 for the IAM role of the parent instance (AWS user guide, "PCR3").

    Raises `UsageError` for what is not a role's ARN: an instance profile's gives another value.
    """
    if ":role/" not in role_arn or not role_arn.startswith("arn:") or not role_arn.isascii():
        raise UsageError(
            repr(role_arn)[:200],
            expected="arn:aws:iam::<account>:role/<name>",
            where="PCR3",
            next="Give the role's ARN, not the instance profile's nor an assumed role's.",
        )
    return extend(role_arn.encode("ascii"))


def pcr4(instance_id: str) -> bytes:
    """Return PCR4 for the parent instance; holds for all 24 enclave vectors that AWS issued.

    Raises `UsageError` for what is not an instance id.
    """
    digits = instance_id.removeprefix("i-")
    if digits == instance_id or not digits or set(digits) - set("0123456789abcdef"):
        raise UsageError(
            repr(instance_id)[:200], expected="i- and lower-case hex digits", where="PCR4"
        )
    return extend(instance_id.encode("ascii"))


def pcr8(certificate_der: bytes) -> bytes:
    """Return PCR8 for an image signed under this certificate: the DER's digest, extended."""
    return extend(hashlib.sha384(certificate_der).digest())


@dataclass(frozen=True, slots=True)
class PcrRow:
    """One PCR of an expectation: what the document has (None: it has not), and what would do."""

    index: int
    found: bytes | None
    expected: tuple[bytes, ...]

    @property
    def matched(self) -> bool:
        """Whether the document's value is one of the expected."""
        return self.found is not None and self.found in self.expected


@dataclass(frozen=True, slots=True)
class PcrJudgement:
    """Whether an expectation holds, which one (``label``), and the rows that it compared."""

    matched: bool
    label: str
    rows: tuple[PcrRow, ...] = ()
    note: str = ""


class PcrExpectation(Protocol):
    """What PCRs should be. Implementations are pure and combine by `any_of` and `all_of`."""

    def judge(self, pcrs: Mapping[int, bytes], kind: Kind = "enclave") -> PcrJudgement:
        """Compare with a document's PCRs; ``kind`` is the document's."""
        ...  # pragma: no cover - a protocol has no body


@dataclass(frozen=True, slots=True)
class PcrValues:
    """Some PCRs, each one of some values, in documents of one kind."""

    values: Mapping[int, tuple[bytes, ...]]
    label: str
    kind: Kind = field(default="enclave")

    def __post_init__(self) -> None:
        if not self.values or not all(self.values.values()):
            raise UsageError(
                "no PCR value", expected="at least one value for a PCR", where=self.label
            )
        for index, values in self.values.items():
            if type(index) is not int or not 0 <= index < MAX_PCRS:
                raise UsageError(f"PCR{index}", expected="PCR0 to PCR31", where=self.label)
            if any(type(v) is not bytes or len(v) not in PCR_LENGTHS for v in values):
                raise UsageError(
                    f"PCR{index} of another length",
                    expected="48 bytes (96 hex digits)",
                    where=self.label,
                )

    def judge(self, pcrs: Mapping[int, bytes], kind: Kind = "enclave") -> PcrJudgement:
        """Match when the document is of this kind and each PCR has one of its values."""
        rows = tuple(
            PcrRow(index, pcrs.get(index), tuple(values)) for index, values in self.values.items()
        )
        if kind != self.kind:
            return PcrJudgement(False, self.label, rows, f"{self.label} is about {self.kind} PCRs")
        return PcrJudgement(all(row.matched for row in rows), self.label, rows)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several expectations, as in a rolling upgrade. Empty is an error, not a success."""

    options: tuple[PcrExpectation, ...]

    def __post_init__(self) -> None:
        _require_options(self.options)

    def judge(self, pcrs: Mapping[int, bytes], kind: Kind = "enclave") -> PcrJudgement:
        """Match when one option does; the label is the first such option's."""
        judgements = [option.judge(pcrs, kind) for option in self.options]
        for judgement in judgements:
            if judgement.matched:
                return judgement
        # The nearest miss says most: the option with the fewest rows that differ.
        nearest = min(judgements, key=lambda j: sum(not row.matched for row in j.rows))
        label = " or ".join(judgement.label for judgement in judgements)
        return PcrJudgement(False, label, nearest.rows, nearest.note)


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of several expectations. Empty is an error, not a success."""

    options: tuple[PcrExpectation, ...]

    def __post_init__(self) -> None:
        _require_options(self.options)

    def judge(self, pcrs: Mapping[int, bytes], kind: Kind = "enclave") -> PcrJudgement:
        """Match when each option does; rows are those of all."""
        judgements = [option.judge(pcrs, kind) for option in self.options]
        missed = [judgement for judgement in judgements if not judgement.matched]
        label = " and ".join(judgement.label for judgement in missed or judgements)
        rows = tuple(row for judgement in judgements for row in judgement.rows)
        return PcrJudgement(not missed, label, rows, missed[0].note if missed else "")


def _require_options(options: tuple[PcrExpectation, ...]) -> None:
    if not options:
        raise UsageError("no expectation to combine", expected="one at least", where="PCRs")


def exactly(
    pcrs: Mapping[int, bytes], label: str = "expected PCRs", *, kind: Kind = "enclave"
) -> PcrValues:
    """Return the expectation that each of these PCRs has this value. Raises `UsageError`."""
    return PcrValues({index: (value,) for index, value in pcrs.items()}, label, kind)


def one_of_values(
    pcrs: Mapping[int, Sequence[bytes]], label: str, *, kind: Kind = "enclave"
) -> PcrValues:
    """Return the expectation that each PCR has one of its values, as in a policy's condition."""
    return PcrValues({index: tuple(values) for index, values in pcrs.items()}, label, kind)


def any_of(*options: PcrExpectation) -> AnyOf:
    """Return the expectation that one of ``options`` holds. Raises `UsageError` for none."""
    return AnyOf(options)


def all_of(*options: PcrExpectation) -> AllOf:
    """Return the expectation that all ``options`` hold. Raises `UsageError` for none."""
    return AllOf(options)
