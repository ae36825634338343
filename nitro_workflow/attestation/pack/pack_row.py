"""What a document of the pack is: its bytes, the verdict it must get, why, and how to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from nitro_workflow.attestation.expectations import Expected
from nitro_workflow.attestation.pack.document_forge import NONCE, PCRS, DocumentForge
from nitro_workflow.attestation.pcrs import exactly

__all__ = ["MAX_AGE", "PackDocument", "Row", "Verdict", "Wanted", "row"]

Verdict = Literal["refuse", "accept", "may"]
"""``refuse``: a clause says so. ``accept``: genuine documents are so, or a clause says so. ``may``:
nothing decides, and the reason is given."""

MAX_AGE = timedelta(seconds=300)
"""The age that the pack's verifiers are told to allow."""

_MEASURED = {index: PCRS[index] for index in (0, 1, 2)}


@dataclass(frozen=True)
class Wanted:
    """What the verifier is told to expect. ``root``: the name of the root that it trusts."""

    root: str = "published"
    pcrs: Mapping[int, bytes] = field(default_factory=lambda: _MEASURED)
    nonce: bytes | None = NONCE
    max_age: timedelta | None = MAX_AGE


class Row(NamedTuple):
    """A row of the pack's table. ``check`` is the step (see `STEPS`) that the defect is about."""

    name: str
    verdict: Verdict
    check: str
    defect: str
    clause: str
    make: Callable[[DocumentForge], bytes]
    reason: str
    wanted: Wanted


def row(
    name: str,
    verdict: Verdict,
    check: str,
    defect: str,
    clause: str,
    make: Callable[[DocumentForge], bytes],
    reason: str = "",
    **wanted: Any,
) -> Row:
    """Return a row; ``wanted`` is what the verifier is told other than in the rest of the pack."""
    return Row(name, verdict, check, defect, clause, make, reason, Wanted(**wanted))


@dataclass(frozen=True)
class PackDocument:
    """One document of the pack, and all that its judge must know.

    ``root`` is DER, ``root_name`` its name in the manifest; ``at`` the time to check at.
    """

    row: Row
    data: bytes
    at: datetime
    root: bytes

    @property
    def file(self) -> str:
        """Return the file's name: the verdict, the check, the defect."""
        return f"{self.row.verdict}-{self.row.check}-{self.row.name}.cose"

    @property
    def expected(self) -> Expected:
        """Return the expectations as this package's verifier takes them."""
        wanted = self.row.wanted
        pcrs = exactly(dict(wanted.pcrs), "the pack's PCRs") if wanted.pcrs else None
        return Expected(nonce=wanted.nonce, pcrs=pcrs, max_age=wanted.max_age)
