"""Rules about key policies: each finding with a request that shows it."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.policy.decide import Request, RequestContext, evaluate
from nitro_workflow.policy.language import Principal, Statement
from nitro_workflow.policy.reach.fragment import blanket, is_attestation, needs_document
from nitro_workflow.policy.reach.pins import pin_findings
from nitro_workflow.policy.reach.plaintext_actions import (
    CHANGERS,
    RECIPIENT,
    WITHOUT_RECIPIENT,
    is_kms_key,
)
from nitro_workflow.policy.reach.policy_finding import (
    PolicyFinding,
    Subject,
    actions_of,
    attested_action,
)
from nitro_workflow.policy.reach.witness import Witness, plainest

__all__ = ["lock_out", "statement_findings"]


def statement_findings(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    """Yield what is to be said of one statement."""
    yield from _form(subject, statement)
    if statement.allow:
        yield from pin_findings(subject, statement)
        yield from _changers(subject, statement)
        yield from _delegation(subject, statement)
    yield from _no_recipient(subject, statement)


def _form(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    names = statement.principal.unreadable() if statement.principal else ()
    action = attested_action(statement) or "kms:Decrypt"
    witness = plainest(statement, action, subject.policies, subject.key_arn)
    if names:
        yield PolicyFinding(
            "unreadable_principal", "medium", statement,
            f"{names[0]!r} is no principal",
            "AWS refuses to save a policy with a placeholder, or with a wildcard in part of an ARN;"
            " until it is filled in the statement names nobody.",
            "write the ARN of a role, user or account",
            witness,
        )  # fmt: skip
    for condition in statement.conditions:
        if condition.folded.startswith("kms:") and not is_kms_key(condition.folded):
            yield PolicyFinding(
                "unknown_key", "high", statement, f"KMS has no condition key {condition.key}",
                "No request has such a key: a positive condition on it always fails, a negated one"
                " always holds.",
                "check the spelling against the KMS guide's list of condition keys",
                witness,
            )  # fmt: skip


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


def _changers(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    for action, (code, fix) in _CHANGE.items():
        if not statement.actions.matches(action.lower()):
            continue
        witness = subject.allowed(statement, action, None)
        if witness and _leads_to_plaintext(subject, action):
            yield PolicyFinding(
                code, "high", statement, f"{action} is allowed: its caller {CHANGERS[action]}",
                "That is a way to the plaintext which no PCR fences.", fix, witness,
            )  # fmt: skip


def _delegation(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    accounts = sorted(statement.principal.accounts) if statement.principal else []
    action = "kms:PutKeyPolicy"
    if not accounts or statement.not_principal or not statement.actions.matches(action.lower()):
        return
    witness = subject.allowed(statement, action, None)
    if witness:
        yield PolicyFinding(
            "delegates_to_iam", "medium", statement,
            f"the IAM policies of account {', '.join(accounts)} decide who may change this policy",
            "Whoever may attach policies to a role of that account can give himself"
            " kms:PutKeyPolicy, and with it everything else.",
            "name the data owner's role instead of the account",
            witness,
        )  # fmt: skip


def _leads_to_plaintext(subject: Subject, action: str) -> bool:
    """Say whether a Deny does not already make the grant useless; a replica has its own policy."""
    policy = subject.policies.resource
    if action == "kms:ReplicateKey" or policy is None:
        return True
    return not all(blanket(policy, name) for name in ("kms:Decrypt", "kms:ReEncryptFrom"))


def _no_recipient(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    conditions = [c for c in statement.conditions if is_attestation(c)]
    about = actions_of(statement, WITHOUT_RECIPIENT)
    named = {text.lower() for text in statement.actions.texts}
    about = [name for name in about if name.lower() in named and name.lower() not in RECIPIENT]
    if not conditions or not about or statement.actions.negated:
        return
    action = about[0]
    if statement.allow:
        if not needs_document(statement):
            return
        witness = subject.refused(statement, action, None)
        says = "the Allow never applies to it"
    else:
        witness = subject.shown(statement, action, None, "explicitDeny")
        says = "the Deny always applies to it"
    if witness:
        yield PolicyFinding(
            "no_recipient", "medium", statement,
            f"{action} cannot carry an attestation document",
            f"Recipient exists only on Decrypt, DeriveSharedSecret, GenerateDataKey,"
            f" GenerateDataKeyPair and GenerateRandom; with this condition {says}.",
            f"give {action} a statement of its own without attestation keys",
            witness,
        )  # fmt: skip


def lock_out(subject: Subject) -> PolicyFinding | None:
    """Return the finding that nobody may change the policy any more, if that is certain."""
    policy = subject.policies.resource
    action = "kms:PutKeyPolicy"
    if policy is None:
        return None
    able = [s for s in policy.allows if s.actions.matches(action.lower())]
    if any(subject.allowed(s, action, None) for s in able) or subject.budget.exhausted:
        return None
    absolute = [
        s for s in policy.denies
        if s.actions.matches(action.lower()) and not s.conditions
        and s.principal is not None and s.principal.everyone and not s.not_principal
    ]  # fmt: skip
    readable = [s for s in able if s.principal is not None and not _only_unreadable(s)]
    if readable and not absolute:
        return None
    owner = subject.key_arn.split(":", 5)[4]
    request = Request(
        Principal.parse(f"arn:aws:iam::{owner}:root"), action, subject.key_arn,
        context=RequestContext.what_if({}),
    )  # fmt: skip
    witness = Witness(request, subject.policies, evaluate(request, subject.policies).effect)
    return PolicyFinding(
        "lock_out", "high", absolute[0] if absolute else None,
        "nobody may change this policy",
        "No principal has kms:PutKeyPolicy, not even the account's root user: only AWS Support can"
        " help then. KMS refuses to save such a policy unless its safety check is bypassed.",
        "allow kms:PutKeyPolicy to the data owner's role",
        witness,
    )  # fmt: skip


def _only_unreadable(statement: Statement) -> bool:
    element = statement.principal
    if element is None:
        return True
    return len(element.unreadable()) == len(element.entries)
