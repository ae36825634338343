"""The decision: explicit deny, then allow, by the rules of one account or of two.

Source: reference_policies_evaluation-logic_policy-eval-denyallow, _policy-eval-basics,
reference_policies_evaluation-logic-cross-account; for KMS key-policies and grants of its guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nitro_workflow.policy.decide.kms_grants import Grant
from nitro_workflow.policy.decide.request import Request
from nitro_workflow.policy.decide.services import (
    always_allows,
    never_allows,
    requires_resource_policy,
)
from nitro_workflow.policy.language import Grip, Policy, PrincipalKind, Statement

__all__ = [
    "Deciding",
    "Decision",
    "Effect",
    "Policies",
    "Situation",
    "evaluate",
    "lacking_allows",
]

Effect = Literal["allowed", "implicitDeny", "explicitDeny"]
Context = Mapping[str, Sequence[str]]
_NO_IDENTITY = (PrincipalKind.SERVICE, PrincipalKind.IDENTITY_PROVIDER, PrincipalKind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything that bears on a request. ``resource`` is the key policy or bucket policy."""

    resource: Policy | None = None
    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Policy | None = None
    grants: Sequence[Grant] = ()

    def named(self) -> tuple[tuple[str, Policy], ...]:
        """Return (role, policy) in the order in which a person reads them."""
        pairs: list[tuple[str, Policy]] = []
        if self.resource is not None:
            pairs.append(("resource", self.resource))
        pairs += [("identity", policy) for policy in self.identity]
        if self.boundary is not None:
            pairs.append(("boundary", self.boundary))
        if self.session is not None:
            pairs.append(("session", self.session))
        return tuple(pairs)


@dataclass(frozen=True, slots=True)
class Deciding:
    """A statement that decided: the role of its policy in the set, the policy, the statement."""

    role: str
    policy: Policy
    statement: Statement

    def to_json(self) -> dict[str, Any]:
        """Return ``{"policy", "statement", "sid", "effect"}``; statements count from 1."""
        return {
            "policy": self.policy.name or f"{self.role} policy",
            "statement": self.statement.index + 1,
            "sid": self.statement.sid,
            "effect": self.statement.effect,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. ``lacking`` names what an implicit denial wants, in this order.

    They are `service`, `resource`, `identity`, `boundary`, `session`.
    """

    effect: Effect
    deciding: tuple[Deciding | Grant, ...] = ()
    lacking: tuple[str, ...] = ()
    basis: str = field(default="what-if", compare=False)

    @property
    def allowed(self) -> bool:
        """True for `allowed`."""
        return self.effect == "allowed"


class Situation:
    """A request made ready to be compared with many statements."""

    __slots__ = ("action", "boundary", "context", "owner", "principal", "request", "userid")

    def __init__(self, request: Request, *, boundary: bool = False) -> None:
        self.request = request
        self.action = request.action.lower()
        self.context: Context = request.derived_context()
        self.principal = request.principal
        self.owner = request.owner
        self.userid = next(iter(self.context.get("aws:userid", ())), "")
        self.boundary = boundary

    def grip(self, statement: Statement) -> Grip:
        """Return how the statement's Principal or NotPrincipal holds the caller."""
        element = statement.principal
        if element is None:
            return Grip.DIRECT
        if not statement.not_principal:
            return element.grip(self.principal, self.userid)
        if self.boundary and not statement.allow and self.principal.account:
            # "will always deny any IAM principal that has a permissions boundary attached":
            # reference_policies_elements_notprincipal.
            return Grip.DIRECT
        return Grip.NONE if element.exempts(self.principal) else Grip.DIRECT

    def applies(self, statement: Statement) -> Grip:
        """Return the grip of a statement that applies to the request, else `Grip.NONE`."""
        if not statement.actions.matches(self.action):
            return Grip.NONE
        grip = self.grip(statement)
        if not grip:
            return Grip.NONE
        resources = statement.resources
        if resources is not None and not resources.matches(self.request.resource, self.context):
            return Grip.NONE
        for condition in statement.conditions:
            if not condition.holds(self.context):
                return Grip.NONE
        return grip

    @property
    def needs_resource_policy(self) -> bool:
        """KMS keys and role trust policies: without their own allow nothing else counts."""
        return requires_resource_policy(self.action, self.request.resource)

    @property
    def same_account(self) -> bool:
        """Say whether caller and resource are of one account; AWS's own resources are anyone's."""
        return self.principal.account is not None and self.owner in (self.principal.account, "aws")


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide a request as AWS would with this set of policies.

    Raises nothing: what cannot be decided offline (a canonical user) simply does not match.
    """
    situation = Situation(request, boundary=policies.boundary is not None)
    basis = request.context.basis
    if always_allows(situation.action) and request.principal.kind is not PrincipalKind.ANONYMOUS:
        return Decision("allowed", basis=basis)
    if request.principal.kind is PrincipalKind.ANONYMOUS:  # nothing can be attached to a stranger
        policies = Policies(policies.resource, grants=policies.grants)
    denies = tuple(
        Deciding(role, policy, statement)
        for role, policy in policies.named()
        for statement in policy.denies
        if situation.applies(statement)
    )
    if denies:
        return Decision("explicitDeny", denies, basis=basis)
    if never_allows(situation.action, request.resource):
        return Decision("implicitDeny", (), ("service",), basis)
    found = _allows(situation, policies)
    lacking = _lacking(situation, policies, found)
    if lacking:
        return Decision("implicitDeny", (), lacking, basis)
    return Decision("allowed", found.deciding(), basis=basis)


def lacking_allows(situation: Situation, policies: Policies) -> tuple[str, ...]:
    """Return what an allow would lack if nothing denied the request: see `Decision.lacking`."""
    return _lacking(situation, policies, _allows(situation, policies))


@dataclass(slots=True)
class _Allows:
    """The Allow statements that apply, one list a kind of policy."""

    resource: list[tuple[Grip, Deciding | Grant]] = field(default_factory=list)
    identity: list[Deciding] = field(default_factory=list)
    boundary: list[Deciding] = field(default_factory=list)
    session: list[Deciding] = field(default_factory=list)

    @property
    def grip(self) -> Grip:
        return max((grip for grip, _ in self.resource), default=Grip.NONE)

    def deciding(self) -> tuple[Deciding | Grant, ...]:
        resource = [entry for _, entry in sorted(self.resource, key=lambda pair: -pair[0])]
        return (*resource, *self.identity, *self.boundary, *self.session)


def _allows(situation: Situation, policies: Policies) -> _Allows:
    found = _Allows()
    for role, policy in policies.named():
        for statement in policy.allows:
            grip = situation.applies(statement)
            if not grip:
                continue
            entry = Deciding(role, policy, statement)
            if role == "resource":
                found.resource.append((grip, entry))
            else:
                getattr(found, role).append(entry)
    if situation.action.startswith("kms:"):
        for grant in policies.grants:
            grip = grant.grip(situation.principal, situation.action, situation.context)
            if grip:
                found.resource.append((grip, grant))
    return found


def _lacking(situation: Situation, policies: Policies, found: _Allows) -> tuple[str, ...]:
    """Return what is missing for an allow; nothing missing means allowed."""
    principal, grip = situation.principal, found.grip
    if principal.kind in _NO_IDENTITY:
        return () if grip else ("resource",)
    root = principal.kind is PrincipalKind.ROOT
    limits = [] if policies.boundary is None or found.boundary or root else ["boundary"]
    # "If you do not pass any session policies, the federated user session has no permissions."
    sessionless = policies.session is None and principal.kind is not PrincipalKind.FEDERATED_USER
    limits += [] if sessionless or found.session else ["session"]
    identity = [] if found.identity or root else ["identity"]
    if situation.same_account:
        if grip is Grip.DIRECT:
            return ()
        if grip is Grip.ROLE:
            return tuple(limits)
        if grip is Grip.NONE and situation.needs_resource_policy:
            return ("resource", *limits)
        return (*identity, *limits)
    resource = [] if grip else ["resource"]
    return (*resource, *identity, *limits)
