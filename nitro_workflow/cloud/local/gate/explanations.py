"""Explanations that are asked for again and again: the same reason is written once.

An enclave that decrypts a thousand records is allowed a thousand times for one reason. What is
remembered is held beside the very policy objects it was made from, so that no other policy can
ever be given its text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local import budgets

if TYPE_CHECKING:
    from nitro_workflow.policy import Policies, Policy, Request

__all__ = ["Explained", "Explainer"]

_FORMS = 3  # an explanation is kept as one line, as text, and as JSON values
# Condition keys of every request that differ each time; a policy that asks for one of them is
# explained again.
_PASSING = frozenset({"aws:currenttime", "aws:epochtime"})


@dataclass(frozen=True, slots=True)
class Explained:
    """One line, all of it as text, and all of it as JSON values."""

    summary: str
    text: str
    record: Mapping[str, Any]

    def fields(self) -> Mapping[str, Any]:
        """Return them as a decision record has them."""
        return {"summary": self.summary, "explanation": self.text, "record": self.record}


@dataclass(slots=True)
class Explainer:
    """Explains decisions; threads may share it.

    What is remembered has a budget of characters: those of the explanations and of the requests
    that they explain, which their senders choose.
    """

    _known: dict[Hashable, tuple[Policies, Explained]] = field(default_factory=dict)
    _size: int = 0

    def explain(self, request: Request, policies: Policies) -> Explained:
        """Return the explanation of `policy.explain`."""
        key = _key(request)
        known = self._known.get(key)
        if known is not None and _same(known[0], policies):
            return known[1]
        explained = _explain(request, policies)
        if not any(map(_asks_the_time, _all(policies))):
            self._size += len(repr(key)) + _FORMS * len(explained.text)
            if self._size > budgets.EXPLANATION_CHARACTERS:
                self._known, self._size = {}, 0
            self._known[key] = (policies, explained)
        return explained


def _explain(request: Request, policies: Policies) -> Explained:
    from nitro_workflow.policy import explain, render_explanation

    explanation = explain(request, policies)
    return Explained(explanation.summary, render_explanation(explanation), explanation.to_json())


def _key(request: Request) -> Hashable:
    values = request.context.values.items()
    lasting = frozenset(item for item in values if item[0] not in _PASSING)
    return (request.principal, request.action, request.resource, request.resource_account, lasting)


def _all(policies: Policies) -> Iterator[Policy]:
    optional = (policies.resource, policies.boundary, policies.session)
    yield from (policy for policy in optional if policy is not None)
    yield from policies.identity


def _asks_the_time(policy: Policy) -> bool:
    return any(
        condition.folded in _PASSING
        for statement in policy.statements
        for condition in statement.conditions
    )


def _same(one: Policies, other: Policies) -> bool:
    """Whether these are the very same policies; grants are compared by value."""
    mine, theirs = list(_all(one)), list(_all(other))
    return (
        len(mine) == len(theirs)
        and all(a is b for a, b in zip(mine, theirs, strict=True))
        and (one.boundary is None) == (other.boundary is None)
        and (one.resource is None) == (other.resource is None)
        and tuple(one.grants) == tuple(other.grants)
    )
