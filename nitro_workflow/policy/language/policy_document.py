"""The policy document: compiled once, and kept whole.

Source: reference_policies_grammar. `grammar` reads it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nitro_workflow.policy.language.conditions import Condition
from nitro_workflow.policy.language.principals import PrincipalElement
from nitro_workflow.policy.language.targets import ActionElement, ResourceElement

__all__ = ["KINDS", "Policy", "PolicyKind", "Statement"]

PolicyKind = Literal["resource", "identity", "boundary", "session", "trust"]
KINDS: tuple[PolicyKind, ...] = ("resource", "identity", "boundary", "session", "trust")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, compiled. ``principal`` and ``resources`` are None where the kind has none."""

    index: int
    sid: str
    allow: bool
    principal: PrincipalElement | None
    not_principal: bool
    actions: ActionElement
    resources: ResourceElement | None
    conditions: tuple[Condition, ...]

    @property
    def effect(self) -> str:
        """``Allow`` or ``Deny``."""
        return "Allow" if self.allow else "Deny"

    @property
    def label(self) -> str:
        """How a person finds it: ``statement 2 “AllowDecrypt”``, counted from 1."""
        return f"statement {self.index + 1}" + (f" “{self.sid}”" if self.sid else "")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document. ``raw`` is what was read; ``warnings`` come from lenient reading."""

    kind: PolicyKind
    version: str
    id: str
    statements: tuple[Statement, ...]
    name: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def allows(self) -> tuple[Statement, ...]:
        """The Allow statements, in order."""
        return tuple(statement for statement in self.statements if statement.allow)

    @property
    def denies(self) -> tuple[Statement, ...]:
        """The Deny statements, in order."""
        return tuple(statement for statement in self.statements if not statement.allow)

    def to_json(self) -> dict[str, Any]:
        """Return the document as it was read: every element, in its order."""
        return copy.deepcopy(dict(self.raw))

    def to_text(self) -> str:
        """Return the document as indented JSON text."""
        return json.dumps(self.raw, indent=2, ensure_ascii=False)
