"""What the strict validator says: one finding a deviation, with its place and who minds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nitro_workflow.image.inspect.measure import Measurements

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class ImageFinding:
    """One deviation. ``offset`` is its byte in the file; ``clause`` who says so.

    ``error``: AWS's hypervisor or tools, or QEMU, refuse the image, or could read it in two ways.
    ``warning``: it is taken, and likely not what was meant. ``note``: AWS's builder writes it
    otherwise, or something to know.
    """

    rule: str
    severity: Severity
    offset: int
    found: str
    expected: str
    clause: str

    def to_json(self) -> dict[str, Any]:
        """Return the six fields under their names."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "offset": self.offset,
            "found": self.found,
            "expected": self.expected,
            "clause": self.clause,
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, in file order, and the measurements if there were sections to measure."""

    findings: tuple[ImageFinding, ...]
    measurements: Measurements | None

    @property
    def ok(self) -> bool:
        """True when there is no error; warnings and notes may be there."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def rules(self) -> frozenset[str]:
        """The ids of the rules that were broken or noted."""
        return frozenset(finding.rule for finding in self.findings)
