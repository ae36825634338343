"""What opening something gives: its model, what answers its questions, and what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nitro_workflow.attestation import At, Expected, Verifier
from nitro_workflow.widgets.drawing import Model
from nitro_workflow.widgets.live_answers import Answers

__all__ = ["Ask", "Opened"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a reader wants to know beyond the bytes.

    ``at`` is when to judge certificates: a time, ``"document"`` for a document's own, or None for
    now. ``root`` is a root to trust instead of AWS's, DER or PEM, and ``trust`` its name in words;
    ``expected`` is what a document is to say.
    """

    at: At | None = None
    root: bytes | None = None
    expected: Expected = field(default_factory=Expected)
    trust: str = ""

    @property
    def moment(self) -> At:
        """When to judge."""
        return self.at or datetime.now(UTC)

    def verifier(self) -> Verifier:
        """Return who judges. Raises `CertificateError` for a root that is none."""
        return Verifier.with_root(self.root) if self.root else Verifier.aws()


@dataclass(frozen=True, slots=True)
class Opened:
    """A model with what its live form may ask, and other views of the same thing by name.

    ``whole`` computes the model in full, where ``model`` is only what can be told at once.
    """

    model: Model
    answers: Answers = field(default_factory=dict)
    related: Mapping[str, Callable[[], Opened]] = field(default_factory=dict)
    whole: Callable[[], Model] | None = None

    def in_full(self) -> Model:
        """Return the model with all that is to be computed."""
        return self.model if self.whole is None else self.whole()
