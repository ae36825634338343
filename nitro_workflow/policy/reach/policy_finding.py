"""What a finding is, and the policy under examination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nitro_workflow.policy.decide import Request, RequestContext
from nitro_workflow.policy.language import Condition, Policy, Principal, Statement
from nitro_workflow.policy.reach.request_space import Rule
from nitro_workflow.policy.reach.search import Outcome, Search
from nitro_workflow.policy.reach.ways import Way
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["PolicyFinding", "Repair", "Severity", "Subject", "operator_of"]

Severity = Literal["critical", "high", "medium", "low"]
# (policy document, registers of the image that is meant, as {"PCR0": hex}) -> the mended document
Repair = Callable[[Mapping[str, Any], Mapping[str, str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """Something to know about a policy. ``statement`` is None when it is about the whole.

    ``operator`` is the condition that it is about, as ``StringEquals kms:…``, or ``""``.
    ``repair`` does what ``fix`` says, None where only the owner can know what is meant.
    """

    code: str
    severity: Severity
    statement: Statement | None
    title: str
    detail: str
    fix: str
    witness: Witness
    operator: str = ""
    repair: Repair | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the finding with its witness request."""
        return {
            "code": self.code,
            "severity": self.severity,
            "statement": self.statement.index + 1 if self.statement else None,
            "sid": self.statement.sid if self.statement else "",
            "operator": self.operator,
            "title": self.title,
            "detail": self.detail,
            "fix": self.fix,
            "witness": self.witness.to_json(),
        }


def operator_of(condition: Condition | None) -> str:
    """Return the operator and the key of a condition."""
    return f"{condition.operator} {condition.key}" if condition else ""


class Subject:
    """A policy under examination: its search, its ways, and the helpers every rule needs."""

    def __init__(
        self,
        search: Search,
        ways: Sequence[Way],
        changers: Sequence[Way],
        data_keys: Sequence[Way],
    ) -> None:
        self.search, self.ways = search, ways
        self.changers, self.data_keys = changers, data_keys

    @property
    def policy(self) -> Policy:
        """The key policy; `analyse` always has one."""
        policy = self.search.space.policies.resource
        if policy is None:
            raise ValueError("no policy under examination")
        return policy

    def rule_of(self, statement: Statement) -> Rule:
        """Return the rule that was made of a statement."""
        return next(rule for rule in self.search.space.rules if rule.source is statement)

    def ways_of(self, statement: Statement) -> tuple[Way, ...]:
        """Return the ways to the plaintext that a statement opens."""
        return tuple(way for way in self.ways if way.statement is statement)

    def shown(
        self, statement: Statement | None, action: str, registers: Mapping[str, str] | None = None
    ) -> Witness:
        """Return the plainest request about a statement, as the evaluator decides it.

        ``registers`` are condition keys of a document; None: there is none.
        """
        search = self.search
        index = search.space.rules.index(self.rule_of(statement)) if statement else -1
        views = [v for v in search.views() if v.caller and index in (*v.allows, *v.denies)]
        caller = views[0].caller if views else None
        owner = search.space.key_arn.split(":", 5)[4]
        principal = caller.principal if caller else Principal.parse(f"arn:aws:iam::{owner}:root")
        context = RequestContext.what_if(registers or {})
        request = Request(principal, action, search.space.key_arn, context=context)
        return Witness.of(request, search.policies)


def found(outcome: Outcome) -> Witness:
    """Return the witness of an outcome that has one."""
    if outcome.witness is None:
        raise ValueError(outcome)
    return outcome.witness
