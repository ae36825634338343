"""Rules about attestation in key policies: each finding with a request that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nitro_workflow.policy.actions import CHANGERS, KMS_CONDITION_KEYS, RECIPIENT, WITHOUT_RECIPIENT
from nitro_workflow.policy.conditions import Condition
from nitro_workflow.policy.document import Statement
from nitro_workflow.policy.evaluate import Policies, evaluate
from nitro_workflow.policy.fragment import blanket, is_attestation, needs_document
from nitro_workflow.policy.pcrs import HEX_LENGTH, PcrKey, feeds, parse_key
from nitro_workflow.policy.principals import Principal
from nitro_workflow.policy.request import Request, RequestContext
from nitro_workflow.policy.witness import STRANGER, Witness, document_values, find, worst_case

__all__ = ["Finding", "Severity", "statement_findings"]

Severity = Literal["critical", "high", "medium", "low"]
_OTHER = "bb" * 48


@dataclass(frozen=True, slots=True)
class Finding:
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

    def allowed(
        self, statement: Statement, action: str, document: dict[str, str] | None
    ) -> Witness | None:
        return find(statement, action, self.policies, self.key_arn, document=document)

    def refused(
        self, statement: Statement, action: str, document: dict[str, str] | None
    ) -> Witness | None:
        for effect in ("implicitDeny", "explicitDeny"):
            found = find(
                statement, action, self.policies, self.key_arn, document=document, effect=effect
            )
            if found:
                return found
        return None


def statement_findings(subject: Subject, statement: Statement) -> Iterator[Finding]:
    """Yield what is to be said of one statement."""
    yield from _form(subject, statement)
    if statement.allow:
        yield from _pins(subject, statement)
        yield from _absence(subject, statement)
        yield from _values(subject, statement)
        yield from _changers(subject, statement)
    yield from _no_recipient(subject, statement)


def actions_of(statement: Statement, names: tuple[str, ...]) -> list[str]:
    """Return those of the operations that the statement is about."""
    return [name for name in names if statement.actions.matches(name.lower())]


def _attested_action(statement: Statement) -> str:
    for name in ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair",
                 "kms:DeriveSharedSecret", "kms:GenerateRandom"):  # fmt: skip
        if statement.actions.matches(name.lower()):
            return name
    return ""


def _pinned(statement: Statement) -> dict[str, tuple[Condition, PcrKey]]:
    """Return the conditions that tie the statement to a document, by key."""
    found: dict[str, tuple[Condition, PcrKey]] = {}
    for condition in statement.conditions:
        key = parse_key(condition.key)
        if key and not condition.holds({}) and condition.values:
            found[condition.folded] = (condition, key)
    return found


def _document(statement: Statement) -> dict[str, str]:
    """Return a document that fulfils the statement's conditions as far as one value can."""
    values = {c.key: c.values[0] for c, _ in _pinned(statement).values()}
    return document_values(values)


def _form(subject: Subject, statement: Statement) -> Iterator[Finding]:
    names = statement.principal.unreadable() if statement.principal else ()
    if names:
        witness = Witness(
            Request(Principal.parse(STRANGER), "kms:Decrypt", subject.key_arn),
            subject.policies,
            evaluate(
                Request(Principal.parse(STRANGER), "kms:Decrypt", subject.key_arn), subject.policies
            ).effect,
        )
        yield Finding(
            "unreadable_principal", "medium", statement,
            f"{names[0]!r} is no principal",
            "AWS refuses to save a policy with a placeholder, or with a wildcard in part of an ARN;"
            " until it is filled in the statement names nobody.",
            "write the ARN of a role, user or account",
            witness,
        )  # fmt: skip
    for condition in statement.conditions:
        unknown = condition.folded.startswith("kms:") and not _known_key(condition.folded)
        if unknown:
            witness_or_none = _any_refusal(subject, statement)
            if witness_or_none:
                yield Finding(
                    "unknown_key", "high", statement, f"KMS has no condition key {condition.key}",
                    "A key that no request has makes a positive condition fail and a negated one"
                    " hold, always.",
                    "check the spelling against the KMS guide's list of condition keys",
                    witness_or_none,
                )  # fmt: skip


def _any_refusal(subject: Subject, statement: Statement) -> Witness | None:
    action = _attested_action(statement) or "kms:Decrypt"
    found = subject.refused(statement, action, None) or subject.allowed(statement, action, None)
    if found:
        return found
    request = Request(Principal.parse(STRANGER), action, subject.key_arn)
    return Witness(request, subject.policies, evaluate(request, subject.policies).effect)


def _known_key(folded: str) -> bool:
    if folded.startswith("kms:encryptioncontext:"):
        return True
    key = parse_key(folded)
    return key.in_range if key else folded in KMS_CONDITION_KEYS


def _pins(subject: Subject, statement: Statement) -> Iterator[Finding]:
    action, pinned = _attested_action(statement), _pinned(statement)
    if not action or not pinned:
        return
    indices = {key.index for _, key in pinned.values() if not key.nitrotpm}
    if any(key.nitrotpm for _, key in pinned.values()):
        yield from _mixed(subject, statement, action, enclave=bool(indices))
        return
    if indices & {0} or 8 in indices:
        return
    document = _document(statement)
    for name in list(document):
        key = parse_key(name)
        if key and key.index in {0, 1, 2, 3, 4, 8} - indices:
            document[name] = _OTHER
    witness = subject.allowed(statement, action, document)
    if witness:
        pins = ", ".join(f"PCR{index}" for index in sorted(indices))
        measured = "; ".join(f"PCR{i} measures {feeds(PcrKey(i))}" for i in sorted(indices))
        yield Finding(
            "image_not_pinned", "high", statement, f"only {pins} is pinned, not the image",
            f"{measured}. An enclave with any other rest of the image fulfils this.",
            "pin PCR0 (kms:RecipientAttestation:ImageSha384), or PCR8 with a signing certificate"
            " you trust",
            witness,
        )  # fmt: skip


def _mixed(
    subject: Subject, statement: Statement, action: str, *, enclave: bool
) -> Iterator[Finding]:
    if not enclave:
        return
    values = {c.key: c.values[0] for c, key in _pinned(statement).values() if not key.nitrotpm}
    witness = subject.refused(statement, action, document_values(values))
    if witness:
        yield Finding(
            "mixed_documents", "high", statement,
            "keys of enclaves and of NitroTPM stand in one statement",
            "A document is of an enclave or of a NitroTPM, never both: it never applies.",
            "make two statements, or drop the NitroTPM keys",
            witness,
        )  # fmt: skip


def _absence(subject: Subject, statement: Statement) -> Iterator[Finding]:
    action = _attested_action(statement)
    loose = [c for c in statement.conditions if is_attestation(c) and c.holds({})]
    if not loose or not action or needs_document(statement):
        return
    witness = subject.allowed(statement, action, None) or subject.refused(statement, action, None)
    if witness:
        allowed = witness.effect == "allowed"
        yield Finding(
            "absence_satisfies", "critical" if allowed else "low", statement,
            f"{loose[0].operator} {loose[0].key} holds when there is no document",
            "In an Allow, IfExists, ForAllValues, Null “true” and the negated operators are"
            " satisfied by a request that carries no document at all."
            + ("" if allowed else " Another statement denies such requests here."),
            "use StringEqualsIgnoreCase without IfExists in the Allow; keep the negated form for a"
            " Deny",
            witness,
        )  # fmt: skip


def _values(subject: Subject, statement: Statement) -> Iterator[Finding]:
    action = _attested_action(statement)
    if not action:
        return
    for condition, key in _pinned(statement).values():
        if condition.operator.base.family != "String":
            continue
        for value in condition.values:
            yield from _value(subject, statement, action, condition, key, value)


def _value(
    subject: Subject,
    statement: Statement,
    action: str,
    condition: Condition,
    key: PcrKey,
    value: str,
) -> Iterator[Finding]:
    found = document_values({**_document(statement), condition.key: value.lower()})
    if "*" in value or "?" in value:
        return
    if len(value) != HEX_LENGTH or value.lower().strip("0123456789abcdef"):
        witness = subject.refused(statement, action, document_values())
        if witness:
            yield Finding(
                "not_a_measurement", "medium", statement,
                f"{key.label} is compared with {_brief(value)}",
                f"A PCR is {HEX_LENGTH} hexadecimal digits (SHA-384): this value never matches.",
                "copy the value from the measurements of the image file",
                witness,
            )  # fmt: skip
    elif not value.strip("0") and key.index <= 2:
        witness = subject.allowed(statement, action, found)
        witness = witness or subject.refused(statement, action, found)
        if witness:
            yield Finding(
                "debug_allowed", "critical" if witness.effect == "allowed" else "low", statement,
                f"{key.label} may be all zeros: any enclave in debug mode",
                "In debug mode PCR0, PCR1 and PCR2 are zeros for every image, and the parent reads"
                " the console: nothing is attested.",
                "take the zeros out; test in debug mode with another key",
                witness,
            )  # fmt: skip
    elif condition.operator.base.case_sensitive and value != value.lower():
        witness = subject.refused(statement, action, found)
        if witness:
            yield Finding(
                "upper_case", "high", statement,
                f"{key.label} is written in upper case under {condition.operator}",
                "KMS gives PCRs in lower-case hexadecimal, and this operator minds the case: the"
                " right enclave is refused.",
                "use StringEqualsIgnoreCase, or lower-case digits",
                witness,
            )  # fmt: skip


def _brief(value: str) -> str:
    return repr(value) if len(value) <= 40 else f"{value[:12]!r}… of {len(value)} characters"


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


def _changers(subject: Subject, statement: Statement) -> Iterator[Finding]:
    for action, (code, fix) in _CHANGE.items():
        if not statement.actions.matches(action.lower()):
            continue
        witness = subject.allowed(statement, action, None)
        if witness and _leads_to_plaintext(subject, action):
            yield Finding(
                code, "high", statement, f"{action} is allowed: its caller {CHANGERS[action]}",
                "That is a way to the plaintext which no PCR fences.", fix, witness,
            )  # fmt: skip


def _leads_to_plaintext(subject: Subject, action: str) -> bool:
    """Say whether a Deny does not already make the grant useless; a replica has its own policy."""
    policy = subject.policies.resource
    if action == "kms:ReplicateKey" or policy is None:
        return True
    return not all(blanket(policy, name) for name in ("kms:Decrypt", "kms:ReEncryptFrom"))


def _no_recipient(subject: Subject, statement: Statement) -> Iterator[Finding]:
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
        witness = find(statement, action, subject.policies, subject.key_arn, effect="explicitDeny")
        says = "the Deny always applies to it"
    if witness:
        yield Finding(
            "no_recipient", "medium", statement,
            f"{action} cannot carry an attestation document",
            f"Recipient exists only on Decrypt, DeriveSharedSecret, GenerateDataKey,"
            f" GenerateDataKeyPair and GenerateRandom; with this condition {says}.",
            f"give {action} a statement of its own without attestation keys",
            witness,
        )  # fmt: skip


def lock_out(subject: Subject) -> Finding | None:
    """Return the finding that nobody may change the policy any more, if that is certain."""
    policy = subject.policies.resource
    action = "kms:PutKeyPolicy"
    if policy is None:
        return None
    able = [s for s in policy.allows if s.actions.matches(action.lower())]
    if any(find(s, action, subject.policies, subject.key_arn) for s in able):
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
    return Finding(
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
