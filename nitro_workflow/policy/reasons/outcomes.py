"""What each part of each statement said about a request: the record under every explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.policy.decide import Situation
from nitro_workflow.policy.language import Condition, Grip, Policy, Statement

__all__ = ["StatementCheck", "StatementOutcome", "examine", "first_difference"]

_GRIPS = {
    Grip.NONE: "does not name the caller",
    Grip.ACCOUNT: "names the caller's account: their IAM policies decide too",
    Grip.ROLE: "names the caller's role",
    Grip.DIRECT: "names the caller",
}


@dataclass(frozen=True, slots=True)
class StatementCheck:
    """One element of a statement compared with the request.

    ``found`` is None when the request has no such key. ``difference`` is the index of the first
    character in which ``found`` differs from the nearest expected value, None where that means
    nothing.
    """

    element: str
    matched: bool
    expected: tuple[str, ...]
    found: tuple[str, ...] | None
    operator: str = ""
    key: str = ""
    difference: int | None = None
    nearest: str = ""
    note: str = ""
    condition: Condition | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record without what is empty."""
        record = {
            "element": self.element, "operator": self.operator, "key": self.key,
            "matched": self.matched, "expected": list(self.expected),
            "found": None if self.found is None else list(self.found),
            "difference": self.difference, "note": self.note,
        }  # fmt: skip
        keep = ("matched", "found", "expected", "element")
        return {
            name: value for name, value in record.items() if name in keep or value not in ("", None)
        }


@dataclass(frozen=True, slots=True)
class StatementOutcome:
    """One statement against the request: all its checks, in the order of the language."""

    role: str
    policy: Policy
    statement: Statement
    checks: tuple[StatementCheck, ...]

    @property
    def applies(self) -> bool:
        """True when every check matched."""
        return all(check.matched for check in self.checks)

    @property
    def failed(self) -> tuple[StatementCheck, ...]:
        """The checks that did not match."""
        return tuple(check for check in self.checks if not check.matched)

    @property
    def policy_label(self) -> str:
        """How a person finds the policy."""
        return self.policy.name or f"{self.role} policy"

    @property
    def label(self) -> str:
        """How a person finds the statement."""
        return f"{self.policy_label}, {self.statement.label}"

    def to_json(self) -> dict[str, Any]:
        """Return ``{"policy", "statement", "sid", "effect", "applies", "checks"}``."""
        return {
            "policy": self.policy_label,
            "statement": self.statement.index + 1,
            "sid": self.statement.sid,
            "effect": self.statement.effect,
            "applies": self.applies,
            "checks": [check.to_json() for check in self.checks],
        }


def examine(
    situation: Situation, role: str, policy: Policy, statement: Statement
) -> StatementOutcome:
    """Compare every element of a statement, also after one has failed."""
    checks = [
        *_principal(situation, statement),
        _action(situation, statement),
        *_resource(situation, statement),
        *(_condition(situation, condition) for condition in statement.conditions),
    ]
    return StatementOutcome(role, policy, statement, tuple(checks))


def _principal(situation: Situation, statement: Statement) -> list[StatementCheck]:
    element = statement.principal
    if element is None:
        return []
    grip = situation.grip(statement)
    name = "NotPrincipal" if statement.not_principal else "Principal"
    expected = tuple(
        value if kind == "AWS" else f"{kind} {value}" for kind, value in element.entries
    )
    note = _GRIPS[grip]
    if statement.not_principal:
        note = "does not exempt the caller" if grip else "exempts the caller"
    return [StatementCheck(name, bool(grip), expected, (situation.principal.arn,), note=note)]


def _action(situation: Situation, statement: Statement) -> StatementCheck:
    actions = statement.actions
    name = "NotAction" if actions.negated else "Action"
    found = (situation.request.action,)
    return StatementCheck(name, actions.matches(situation.action), actions.texts, found)


def _resource(situation: Situation, statement: Statement) -> list[StatementCheck]:
    resources = statement.resources
    if resources is None:
        return []
    name = "NotResource" if resources.negated else "Resource"
    resource = situation.request.resource
    matched = resources.matches(resource, situation.context)
    missing = [
        key
        for template in resources.templates
        if template.resolve(situation.context) is None
        for key in template.keys
    ]
    note = f"${{{missing[0]}}} has no value in this request" if missing else ""
    return [StatementCheck(name, matched, resources.texts, (resource,), note=note)]


def _condition(situation: Situation, condition: Condition) -> StatementCheck:
    values = situation.context.get(condition.folded)
    held = condition.holds(situation.context)
    found = tuple(values) if values is not None else None
    nearest, difference = _nearest(condition.values, found or ())
    note = "" if found else "the request has no such key"
    if condition.unusable:
        note = (
            f"{condition.unusable[0]!r} is not a value for {condition.operator}: it matches nothing"
        )
    return StatementCheck(
        "Condition", held, condition.values, found, str(condition.operator), condition.key,
        difference, nearest, note, condition,
    )  # fmt: skip


def _nearest(expected: Sequence[str], found: Sequence[str]) -> tuple[str, int | None]:
    """Return the expected value that agrees longest with the one found, and where they part."""
    if len(found) != 1 or not expected:
        return (expected[0] if expected else ""), None
    value = found[0]
    best = max(expected, key=lambda text: _common(text.lower(), value.lower()))
    return best, first_difference(best, value)


def first_difference(one: str, other: str) -> int | None:
    """Return the index of the first character in which two texts differ, None when equal."""
    return None if one == other else _common(one, other)


def _common(one: str, other: str) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
