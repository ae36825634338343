"""Why: each statement against the request, the nearest one, the likely cause, the next step.

AWS says AccessDenied and never which PCR of which statement. The decision here is `evaluate`'s;
this module only looks again, at everything, and says what it saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nitro_workflow.policy.decide import Decision, Policies, Request, Situation, evaluate
from nitro_workflow.policy.language import PrincipalKind
from nitro_workflow.policy.reasons.cause import Cause
from nitro_workflow.policy.reasons.causes import find_cause, further_obstacles
from nitro_workflow.policy.reasons.outcomes import StatementOutcome, examine

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and everything that led to it.

    ``nearest`` is the statement that decided, or, for an implicit denial, the Allow that came
    nearest. ``also`` says what would still stand in the way afterwards.
    """

    request: Request
    decision: Decision
    outcomes: tuple[StatementOutcome, ...]
    nearest: StatementOutcome | None
    cause: Cause
    also: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line: the decision, the statement, the cause."""
        if self.decision.effect != "explicitDeny" or self.nearest is None:
            return f"{self.decision.effect}: {self.cause.text}"
        return f"explicitDeny by {self.nearest.label}: {self.cause.text}"

    def to_json(self) -> dict[str, Any]:
        """Return the whole record; ``decision`` has the words of AWS's simulator."""
        return {
            "decision": self.decision.effect,
            "summary": self.summary,
            "cause": self.cause.code,
            "next": self.cause.next_step,
            "also": list(self.also),
            "basis": self.decision.basis,
            "principal": self.request.principal.arn,
            "action": self.request.action,
            "resource": self.request.resource,
            "deciding": [entry.to_json() for entry in self.decision.deciding],
            "lacking": list(self.decision.lacking),
            "nearest": self.nearest.to_json() if self.nearest else None,
            "statements": [outcome.to_json() for outcome in self.outcomes],
        }


def explain(request: Request, policies: Policies) -> Explanation:
    """Decide a request and say why. Never raises for what a policy says.

    >>> from nitro_workflow.policy import Principal
    >>> caller = Principal.parse("arn:aws:iam::111122223333:user/alice")
    >>> explain(Request(caller, "s3:GetObject", "arn:aws:s3:::b/x"), Policies()).summary
    "implicitDeny: nothing in the caller's identity policies allows s3:GetObject"
    """
    decision = evaluate(request, policies)
    situation = Situation(request, boundary=policies.boundary is not None)
    stranger = request.principal.kind is PrincipalKind.ANONYMOUS
    outcomes = tuple(
        examine(situation, role, policy, statement)
        for role, policy in policies.named()
        for statement in policy.statements
        if role == "resource" or not stranger
    )
    nearest = _nearest(decision, outcomes)
    cause = find_cause(situation, policies, decision, nearest, outcomes)
    also = further_obstacles(situation, policies, decision, outcomes)
    return Explanation(request, decision, outcomes, nearest, cause, also)


def _nearest(decision: Decision, outcomes: tuple[StatementOutcome, ...]) -> StatementOutcome | None:
    if decision.effect == "explicitDeny":
        return next((o for o in outcomes if o.applies and not o.statement.allow), None)
    if decision.allowed:
        return next((o for o in outcomes if o.applies and o.statement.allow), None)
    wanted = decision.lacking[0] if decision.lacking else "resource"
    allows = [o for o in outcomes if o.statement.allow and o.role == wanted]
    return max(allows, key=_nearness, default=None)


def _nearness(outcome: StatementOutcome) -> tuple[bool, bool, bool, int]:
    return (
        _all(outcome, ("Action", "NotAction")),
        _all(outcome, ("Principal", "NotPrincipal")),
        _all(outcome, ("Resource", "NotResource")),
        -len(outcome.failed),
    )


def _all(outcome: StatementOutcome, elements: Iterable[str]) -> bool:
    return all(check.matched for check in outcome.checks if check.element in elements)
