"""What a finding is, and the policy under examination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nitro_workflow.policy.decide import Effect, Policies
from nitro_workflow.policy.language import Statement
from nitro_workflow.policy.reach.witness import (
    Budget,
    Witness,
    find,
    worst_case,
)

__all__ = ["PolicyFinding", "Severity", "Subject", "actions_of", "attested_action"]

Severity = Literal["critical", "high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """Something to know about a policy. ``statement`` is None when it is about the whole."""

    code: str
    severity: Severity
    statement: Statement | None
    title: str
    detail: str
    fix: str
    witness: Witness

    def to_json(self) -> dict[str, Any]:
        """Return the finding with its witness request."""
        return {
            "code": self.code,
            "severity": self.severity,
            "statement": self.statement.index + 1 if self.statement else None,
            "sid": self.statement.sid if self.statement else "",
            "title": self.title,
            "detail": self.detail,
            "fix": self.fix,
            "witness": self.witness.to_json(),
        }


class Subject:
    """A policy under examination, with the helpers every rule needs."""

    def __init__(self, policies: Policies, key_arn: str) -> None:
        self.policies = worst_case(policies)
        self.key_arn = key_arn
        self.budget = Budget()

    def shown(
        self, statement: Statement, action: str, document: dict[str, str] | None, effect: Effect
    ) -> Witness | None:
        """Return a request for the statement that is decided with this effect, or None."""
        return find(
            statement, action, self.policies, self.key_arn, document=document, effect=effect,
            budget=self.budget,
        )  # fmt: skip

    def allowed(
        self, statement: Statement, action: str, document: dict[str, str] | None
    ) -> Witness | None:
        """Return a request that the statement lets through, None where none was found."""
        return self.shown(statement, action, document, "allowed")

    def refused(
        self, statement: Statement, action: str, document: dict[str, str] | None
    ) -> Witness | None:
        """Return a request for the statement that is denied all the same, or None."""
        return self.shown(statement, action, document, "implicitDeny") or self.shown(
            statement, action, document, "explicitDeny"
        )


def actions_of(statement: Statement, names: tuple[str, ...]) -> list[str]:
    """Return those of the operations that the statement is about."""
    return [name for name in names if statement.actions.matches(name.lower())]


def attested_action(statement: Statement) -> str:
    """Return an operation of the statement that can carry a document, or ``""``."""
    for name in ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair",
                 "kms:DeriveSharedSecret", "kms:GenerateRandom"):  # fmt: skip
        if statement.actions.matches(name.lower()):
            return name
    return ""
