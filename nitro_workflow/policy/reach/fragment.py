"""The fragment of the language in which “no path without attestation” can be proved.

The fragment is called *closed by absence*. A policy is in it for an operation when either

1. some Deny holds for every request without a document: it is about the operation, everybody and
   every resource, and each of its conditions is on an attestation key and holds when the key is
   absent; or
2. each Allow about the operation cannot apply without a document: one of its conditions is on an
   attestation key and fails when the key is absent; or such an Allow is covered by a Deny that
   applies whenever the Allow does (same or wider principals, and only conditions of the first kind
   or conditions that the Allow has too).

Why this is enough: without a document every attestation key is absent, so the conditions named are
decided whatever else the request holds; KMS allows nothing on a key that neither the key policy nor
a grant allows; and a Deny is stronger than both. Outside the fragment nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nitro_workflow.policy.decide import ATTESTATION_PREFIX
from nitro_workflow.policy.language import ANY, Condition, Policy, Statement

__all__ = ["FRAGMENT", "Opening", "is_attestation", "needs_document", "openings"]

FRAGMENT = "closed by absence"


@dataclass(frozen=True, slots=True)
class Opening:
    """An Allow that a request without a document may satisfy, as far as the fragment can tell."""

    statement: Statement
    action: str


def is_attestation(condition: Condition) -> bool:
    """Say whether a condition is on a key that only a document fills."""
    return condition.folded.startswith(ATTESTATION_PREFIX)


def needs_document(statement: Statement) -> bool:
    """Say whether the statement can apply only to requests with a document."""
    return any(is_attestation(c) and not c.holds({}) for c in statement.conditions)


def _holds_without_document(condition: Condition) -> bool:
    return is_attestation(condition) and condition.holds({})


def blanket(policy: Policy, action: str) -> Statement | None:
    """Return a Deny that holds for every request without a document, or None."""
    for deny in policy.denies:
        if (
            deny.actions.matches(action.lower())
            and deny.principal is not None
            and deny.principal.everyone
            and not deny.not_principal
            and _every_resource(deny)
            and all(map(_holds_without_document, deny.conditions))
        ):
            return deny
    return None


def _every_resource(statement: Statement) -> bool:
    resources = statement.resources
    if resources is None:
        return True
    return not resources.negated and any(not g.pattern.strip(ANY) for g in resources.globs)


def openings(policy: Policy, action: str) -> Sequence[Opening]:
    """Return the Allows that keep a policy out of the fragment for an operation."""
    if blanket(policy, action):
        return ()
    return tuple(
        Opening(allow, action)
        for allow in policy.allows
        if allow.actions.matches(action.lower())
        and not needs_document(allow)
        and not any(_covers(deny, allow, action) for deny in policy.denies)
    )


def _covers(deny: Statement, allow: Statement, action: str) -> bool:
    if not deny.actions.matches(action.lower()) or not _every_resource(deny):
        return False
    if deny.not_principal or allow.not_principal or not deny.principal or not allow.principal:
        return False
    wider = deny.principal.everyone or set(allow.principal.entries) <= set(deny.principal.entries)
    return wider and all(
        _holds_without_document(condition) or condition in allow.conditions
        for condition in deny.conditions
    )
