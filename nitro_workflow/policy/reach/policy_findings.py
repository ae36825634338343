"""All findings about a key policy; each with a request that shows it."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.policy.decide import Request
from nitro_workflow.policy.language import Principal
from nitro_workflow.policy.reach.condition_findings import condition_findings
from nitro_workflow.policy.reach.documents import no_document
from nitro_workflow.policy.reach.plaintext_actions import CHANGERS, DATA_KEYS, PAIR
from nitro_workflow.policy.reach.policy_finding import PolicyFinding, Subject, found
from nitro_workflow.policy.reach.repairs import allow_change, deny_action
from nitro_workflow.policy.reach.way_findings import unpinned_deployment, way_findings
from nitro_workflow.policy.reach.ways import Way
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["list_findings"]

_CHANGE = {
    "kms:CreateGrant": (
        "grant_creation",
        "deny kms:CreateGrant for everybody, or allow it to AWS services only, without Decrypt",
    ),
    "kms:ReplicateKey": (
        "key_replication",
        "deny kms:ReplicateKey for everybody, or make a single-region key",
    ),
}


def list_findings(subject: Subject) -> Iterator[PolicyFinding]:
    """Yield the findings: of the ways, of the statements, of who may change the policy."""
    yield from way_findings(subject)
    for statement in subject.policy.statements:
        yield from condition_findings(subject, statement)
    yield from _changers(subject)
    yield from _delegation(subject)
    yield from _data_keys(subject)
    yield from unpinned_deployment(subject)
    yield from _lock_out(subject)


def _changers(subject: Subject) -> Iterator[PolicyFinding]:
    useless = subject.search.closed_to_grants(no_document(subject.search.space))
    for way in subject.changers:
        if way.action not in _CHANGE or way.without.witness is None:
            continue
        if way.action == "kms:CreateGrant" and useless:
            continue
        code, fix = _CHANGE[way.action]
        yield PolicyFinding(
            code, "high", way.statement,
            f"{way.action} is allowed: its caller {CHANGERS[way.action]}",
            "Whoever is named makes a way to the plaintext that no PCR fences.", fix,
            found(way.without), repair=deny_action(way.action),
        )  # fmt: skip


def _delegation(subject: Subject) -> Iterator[PolicyFinding]:
    for way in subject.changers:
        statement, witness = way.statement, way.without.witness
        if way.action != "kms:PutKeyPolicy" or not way.delegates or statement is None:
            continue
        if witness is None or statement.not_principal or statement.principal is None:
            continue
        accounts = ", ".join(sorted(statement.principal.accounts))
        yield PolicyFinding(
            "delegates_to_iam", "medium", statement,
            f"the IAM policies of account {accounts} decide who may change this policy",
            "Whoever may attach policies to a role of that account gives themselves"
            " kms:PutKeyPolicy, and with it everything else.",
            "name the data owner's role instead of the account",
            witness,
        )  # fmt: skip


def _data_keys(subject: Subject) -> Iterator[PolicyFinding]:
    """Yield that data keys come in clear to everybody, to an account, or to the one who decrypts.

    A named owner who makes data keys is how envelope encryption begins: that is listed only. So is
    who decrypts without a document anyway. A named role that makes pairs alone is told: others
    encrypt with the public key, and GenerateDataKeyPair answers the private one in clear.
    """
    inside = {name for way in subject.ways if way.named.witness for name in way.principals}
    open_ = {id(way.rule) for way in subject.ways if way.without.witness}
    makers = {name for way in subject.data_keys if way.action != PAIR for name in way.principals}
    said: set[int] = set()
    for way in subject.data_keys:
        if way.without.witness is None or id(way.rule) in open_ | said:
            continue
        if _too_wide(way, inside):
            said.add(id(way.rule))
            yield _in_clear(way)
        elif way.action == PAIR and not makers & set(way.principals):
            said.add(id(way.rule))
            yield _private_keys(way)


def _in_clear(way: Way) -> PolicyFinding:
    statement = way.statement
    wide = statement is not None and statement.principal and statement.principal.everyone
    return PolicyFinding(
        "data_key_in_clear", "high" if wide else "medium", statement,
        f"{way.action} gives data keys in clear",
        f"{', '.join(way.principals)} gets new data keys outside any enclave, and with a key"
        " whatever is encrypted under it.",
        f"allow {way.action} to the owner of the data only, or ask for a document there too",
        found(way.without), repair=deny_action(*DATA_KEYS),
    )  # fmt: skip


def _private_keys(way: Way) -> PolicyFinding:
    return PolicyFinding(
        "data_key_in_clear", "low", way.statement,
        f"{way.action} gives private keys in clear",
        f"{', '.join(way.principals)} gets the private key of a new pair outside any enclave, and"
        " with it whatever others encrypt with the public one.",
        "allow kms:GenerateDataKeyPairWithoutPlaintext in its place, or ask for a document",
        found(way.without), repair=deny_action(PAIR),
    )  # fmt: skip


def _too_wide(way: Way, inside: set[str]) -> bool:
    statement = way.statement
    element = statement.principal if statement else None
    if element is not None and (element.everyone or element.accounts):
        return True
    negated = statement is not None and statement.not_principal
    return negated or bool(inside & set(way.principals))


def _lock_out(subject: Subject) -> Iterator[PolicyFinding]:
    """Yield that nobody may change the policy any more, if that is certain."""
    search, action = subject.search, "kms:PutKeyPolicy"
    if not search.find(action, no_document(search.space)).proved:
        return
    absolute = [
        s for s in subject.policy.denies
        if s.actions.matches(action.lower()) and not s.conditions
        and s.principal is not None and s.principal.everyone and not s.not_principal
    ]  # fmt: skip
    owner = search.space.key_arn.split(":", 5)[4]
    root = Principal.parse(f"arn:aws:iam::{owner}:root")
    yield PolicyFinding(
        "lock_out", "high", absolute[0] if absolute else None, "nobody may change this policy",
        "No principal has kms:PutKeyPolicy, not even the account's root user: whoever wants to mend"
        " it needs AWS Support. KMS refuses to save such a policy unless its safety check is"
        " bypassed.",
        "allow kms:PutKeyPolicy to the data owner's role",
        Witness.of(Request(root, action, search.space.key_arn), search.policies),
        repair=allow_change(f"arn:aws:iam::{owner}:role/DataOwner", next(iter(absolute), None)),
    )  # fmt: skip
