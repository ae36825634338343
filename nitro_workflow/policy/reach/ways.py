"""Every way that a statement or a grant opens, and how far it goes.

A way is one Allow (or grant) and one operation. Four searches say what gets through it: a request
without a document, one from an image that the policy names, from another image, from a debug
enclave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.policy.decide import ATTESTATION_PREFIX, Grant
from nitro_workflow.policy.language import Condition, Statement
from nitro_workflow.policy.reach.documents import (
    DocumentClass,
    debug_enclaves,
    named_documents,
    no_document,
    other_images,
)
from nitro_workflow.policy.reach.plaintext_actions import carries_document
from nitro_workflow.policy.reach.request_space import Rule, UnlistedGrants
from nitro_workflow.policy.reach.search import NONE, Outcome, Search
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["Way", "about_attestation", "list_ways", "needs_document"]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the plaintext, to a new data key, or to a change of the policy.

    ``conditions`` are those on attestation. ``without``, ``named``, ``other`` and ``debug`` are
    what the searches came to: without a document, with one of a named image, of another, of a debug
    enclave.
    """

    action: str
    rule: Rule
    principals: tuple[str, ...]
    conditions: tuple[Condition, ...]
    delegates: bool
    without: Outcome
    named: Outcome = NONE
    other: Outcome = NONE
    debug: Outcome = NONE

    @property
    def statement(self) -> Statement | None:
        """The statement, None for a grant."""
        return self.rule.source if isinstance(self.rule.source, Statement) else None

    @property
    def source(self) -> str:
        """How a person finds the statement or the grant."""
        return self.rule.source.label

    @property
    def witness(self) -> Witness | None:
        """A request that gets through, the plainest there is."""
        return next((found.witness for found in self._outcomes if found.witness), None)

    @property
    def _outcomes(self) -> tuple[Outcome, ...]:
        return (self.without, self.named, self.other, self.debug)

    @property
    def attested(self) -> bool:
        """Say whether only requests with a document get through."""
        if self.witness is not None:
            return self.witness.request.context.attested
        return self.statement is not None and needs_document(self.statement)

    @property
    def effect(self) -> str:
        """What comes of it: ``allowed``, or why not."""
        if self.witness is not None:
            return "allowed"
        reasons = [reason for found in self._outcomes for reason in found.reasons]
        if reasons:
            return f"unknown: {reasons[0]}"
        if self.attested and not carries_document(self.action):
            return f"{self.action} cannot carry a document, which the statement asks for"
        return "denied: no request gets through"

    def to_json(self) -> dict[str, Any]:
        """Return the record; ``open`` says whether a request gets through."""
        return {
            "action": self.action,
            "source": self.source,
            "principals": list(self.principals),
            "attested": self.attested,
            "conditions": [
                {"operator": str(c.operator), "key": c.key, "values": list(c.values)}
                for c in self.conditions
            ],
            "delegates_to_iam": self.delegates,
            "open": self.witness is not None,
            "effect": self.effect,
            "witness": self.witness.to_json() if self.witness else None,
        }


def about_attestation(statement: Statement) -> tuple[Condition, ...]:
    """Return the conditions on what only a document fills."""
    return tuple(c for c in statement.conditions if c.folded.startswith(ATTESTATION_PREFIX))


def needs_document(statement: Statement) -> bool:
    """Say whether the statement can apply only to requests with a document."""
    return any(not condition.holds({}) for condition in about_attestation(statement))


def list_ways(search: Search, actions: Sequence[str], *, deep: bool) -> Iterator[Way]:
    """Yield the ways of every Allow and grant; ``deep`` asks about other and debug images too.

    Raises `OutOfBudget`.
    """
    space = search.space
    without, named = no_document(space), named_documents(space)
    others, debug = other_images(space), (debug_enclaves(space),)
    for rule in space.rules:
        if not rule.allow or isinstance(rule.source, UnlistedGrants):
            continue
        for action in _about(rule, actions):
            carries = carries_document(action)
            yield Way(
                action, rule, _principals(rule), _conditions(rule), _delegates(rule),
                search.find(action, without, only=rule),
                _first(search, action, named if carries else (), rule),
                _first(search, action, others if carries and deep else (), rule),
                _first(search, action, debug if carries and deep else (), rule),
            )  # fmt: skip


def _about(rule: Rule, actions: Sequence[str]) -> list[str]:
    """Return the operations of a rule; a key that decrypts derives no shared secrets."""
    found = [action for action in actions if rule.acts(action.lower())]
    return [a for a in found if a != "kms:DeriveSharedSecret" or "kms:Decrypt" not in found]


def _first(search: Search, action: str, documents: Sequence[DocumentClass], rule: Rule) -> Outcome:
    """Return the first request of these documents, else why there may be one, else none."""
    outcomes = [search.find(action, document, only=rule) for document in documents]
    found = [outcome for outcome in outcomes if outcome.witness is not None]
    unproved = [outcome for outcome in outcomes if not outcome.proved]
    return next(iter((*found, *unproved)), NONE)


def _principals(rule: Rule) -> tuple[str, ...]:
    source = rule.source
    if isinstance(source, Grant):
        return (source.grantee,)
    element = source.principal if isinstance(source, Statement) else None
    entries = element.entries if element else ()
    names = tuple(value if kind == "AWS" else f"{kind} {value}" for kind, value in entries)
    excepted = isinstance(source, Statement) and source.not_principal
    return tuple(f"all but {name}" for name in names) if excepted else names


def _conditions(rule: Rule) -> tuple[Condition, ...]:
    return about_attestation(rule.source) if isinstance(rule.source, Statement) else ()


def _delegates(rule: Rule) -> bool:
    source = rule.source
    element = source.principal if isinstance(source, Statement) else None
    return bool(element and element.accounts)
