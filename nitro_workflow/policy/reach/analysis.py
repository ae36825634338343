"""Who can ever get the plaintext, under which PCRs, and who can change that.

`analyse` asks the evaluator about every principal that a key policy names or implies, with and
without a document, in the worst case: as if everybody's own IAM policies allowed everything. It
claims "no path without attestation" only where `fragment` proves it; where neither a proof nor a
request is found, the answer is "unknown", with the statement that made it so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nitro_workflow.policy.decide import Grant, Policies, Request, RequestContext, evaluate
from nitro_workflow.policy.language import (
    Policy,
    Principal,
    Statement,
    fill_placeholders,
    parse_key,
)
from nitro_workflow.policy.reach.fragment import (
    FRAGMENT,
    blanket,
    needs_document,
    openings,
)
from nitro_workflow.policy.reach.plaintext_actions import CHANGERS, PLAINTEXT, RECIPIENT
from nitro_workflow.policy.reach.policy_finding import (
    PolicyFinding,
    Severity,
    Subject,
    actions_of,
)
from nitro_workflow.policy.reach.policy_findings import lock_out, statement_findings
from nitro_workflow.policy.reach.witness import KEY_ARN, Witness, document_values

__all__ = ["Analysis", "Unknown", "Way", "analyse"]

Verdict = Literal["none", "path", "unknown"]
_ORDER: dict[Severity, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


@dataclass(frozen=True, slots=True)
class Way:
    """A way that a statement or grant opens: to the plaintext, or to a change of the policy.

    ``pcrs`` maps attestation keys to the values that the statement compares with, empty where it
    asks for no document; ``witness`` is None where no request was found that gets through.
    """

    action: str
    source: str
    principals: tuple[str, ...]
    attested: bool
    pcrs: tuple[tuple[str, tuple[str, ...]], ...]
    delegates: bool
    effect: str
    witness: Witness | None

    def to_json(self) -> dict[str, Any]:
        """Return the record; ``open`` says whether a request gets through."""
        return {
            "action": self.action, "source": self.source, "principals": list(self.principals),
            "attested": self.attested, "pcrs": {key: list(values) for key, values in self.pcrs},
            "delegates_to_iam": self.delegates, "open": self.witness is not None,
            "effect": self.effect, "witness": self.witness.to_json() if self.witness else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unknown:
    """A construct that put the answer outside the fragment."""

    statement: Statement
    action: str
    construct: str

    def to_json(self) -> dict[str, Any]:
        """Return ``{"statement", "sid", "action", "construct"}``."""
        return {
            "statement": self.statement.index + 1, "sid": self.statement.sid,
            "action": self.action, "construct": self.construct,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a key policy lets happen. ``without_attestation`` is the main answer."""

    without_attestation: Verdict
    assumes: tuple[str, ...]
    ways: tuple[Way, ...]
    changers: tuple[Way, ...]
    findings: tuple[PolicyFinding, ...]
    unknown: tuple[Unknown, ...]
    fragment: str = FRAGMENT

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, None where there is none."""
        return self.findings[0].severity if self.findings else None

    def to_json(self) -> dict[str, Any]:
        """Return the whole analysis."""
        return {
            "without_attestation": self.without_attestation,
            "fragment": self.fragment,
            "assumes": list(self.assumes),
            "who_can_decrypt": [way.to_json() for way in self.ways],
            "who_can_change_that": [way.to_json() for way in self.changers],
            "findings": [finding.to_json() for finding in self.findings],
            "unknown": [entry.to_json() for entry in self.unknown],
        }


def analyse(
    policy: Policy, *, grants: Sequence[Grant] | None = None, key_arn: str = KEY_ARN
) -> Analysis:
    """Analyse a key policy, and the key's grants where they are known.

    ``grants`` is ListGrants' answer; None says that they were not looked at, and the answer then
    names that as what it assumes.
    """
    policy, filled = fill_placeholders(policy, key_arn)
    policies = Policies(policy, grants=tuple(grants or ()))
    subject = Subject(policies, key_arn)
    ways = (*_ways(subject, policy, PLAINTEXT), *_grant_ways(subject, policies))
    changers = tuple(_ways(subject, policy, tuple(CHANGERS)))
    unknown = tuple(_unknown(policy, ways))
    found = _findings(subject, policy, ways)
    return Analysis(
        without_attestation=_verdict(ways, unknown),
        assumes=(*_assumptions(policy, grants, filled), *_cut_short(subject)),
        ways=ways,
        changers=changers,
        findings=tuple(sorted(found, key=lambda f: _ORDER[f.severity])),
        unknown=unknown,
    )


def _verdict(ways: Sequence[Way], unknown: Sequence[Unknown]) -> Verdict:
    if any(not way.attested and way.witness for way in ways):
        return "path"
    return "unknown" if unknown else "none"


def _assumptions(
    policy: Policy, grants: Sequence[Grant] | None, filled: Mapping[str, str]
) -> tuple[str, ...]:
    assumed = [f"{name} is filled in; here it stands for {value}" for name, value in filled.items()]
    fenced = all(blanket(policy, action) for action in PLAINTEXT)
    if grants is None and not fenced:
        assumed.append("the key has no grants")
    return tuple(assumed)


def _cut_short(subject: Subject) -> tuple[str, ...]:
    if not subject.budget.exhausted:
        return ()
    return ("what was not tried is not open: the policy is too large to try everything",)


def _ways(subject: Subject, policy: Policy, actions: tuple[str, ...]) -> Iterator[Way]:
    for statement in policy.allows:
        for action in actions_of(statement, actions):
            attested = needs_document(statement)
            carries = attested and action.lower() in RECIPIENT
            document = _fitting_document(statement) if carries else None
            witness = subject.allowed(statement, action, document)
            yield Way(
                action, statement.label, _principals(statement), attested, _pcrs(statement),
                bool(statement.principal and statement.principal.accounts),
                "allowed" if witness else _why_not(policy, statement, action), witness,
            )  # fmt: skip


def _principals(statement: Statement) -> tuple[str, ...]:
    element = statement.principal
    if element is None:
        return ()
    names = tuple(value if kind == "AWS" else f"{kind} {value}" for kind, value in element.entries)
    return tuple(f"all but {name}" for name in names) if statement.not_principal else names


def _pcrs(statement: Statement) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (condition.key, condition.values)
        for condition in statement.conditions
        if parse_key(condition.key)
    )


def _fitting_document(statement: Statement) -> dict[str, str]:
    """Return a document that fulfils every attestation condition, where one value can."""
    pinned: dict[str, str] = {}
    for condition in statement.conditions:
        if parse_key(condition.key) and not condition.holds({}):
            fitting = (v.lower().replace("*", "") for v in condition.values)
            held = (v for v in fitting if condition.holds({condition.folded: (v,)}))
            pinned[condition.key] = next(held, condition.values[0] if condition.values else "")
    return document_values(pinned)


def _why_not(policy: Policy, statement: Statement, action: str) -> str:
    if needs_document(statement) and action.lower() not in RECIPIENT:
        return f"{action} cannot carry a document, which the statement asks for"
    deny = blanket(policy, action)
    if deny and not needs_document(statement):
        return f"denied by {deny.label}"
    return "no request found that it lets through"


def _grant_ways(subject: Subject, policies: Policies) -> Iterator[Way]:
    for grant in policies.grants:
        for action in PLAINTEXT:
            if action.removeprefix("kms:") not in grant.operations:
                continue
            witness = _grant_witness(subject, grant, action)
            yield Way(
                action, grant.label, (grant.grantee,), False, (), False,
                "allowed" if witness else "a Deny of the key policy stops it", witness,
            )  # fmt: skip


def _grant_witness(subject: Subject, grant: Grant, action: str) -> Witness | None:
    pairs = {**(grant.subset or {}), **(grant.equals or {})}
    context = {f"kms:EncryptionContext:{key}": value for key, value in pairs.items()}
    principal = Principal.parse(grant.grantee)
    if principal.kind == "IAM role":
        arn = f"arn:aws:sts::{principal.account}:assumed-role/{principal.name}/witness"
        principal = Principal.parse(arn, role_arn=principal.arn)
    request = Request(principal, action, subject.key_arn, context=RequestContext.what_if(context))
    decision = evaluate(request, subject.policies)
    return Witness(request, subject.policies, "allowed") if decision.allowed else None


def _unknown(policy: Policy, ways: Sequence[Way]) -> Iterator[Unknown]:
    shown = {(way.source, way.action) for way in ways if way.witness and not way.attested}
    for action in PLAINTEXT:
        for opening in openings(policy, action):
            if (opening.statement.label, action) not in shown:
                yield Unknown(opening.statement, action, _construct(policy, opening.statement))


def _construct(policy: Policy, statement: Statement) -> str:
    """Name what stands between the Allow and a proof."""
    if statement.conditions:
        condition = statement.conditions[0]
        return f"{condition.operator} on {condition.key} in {statement.label}"
    for deny in policy.denies:
        if deny.not_principal:
            return f"NotPrincipal in {deny.label}"
        if deny.conditions:
            condition = deny.conditions[0]
            return f"{condition.operator} on {condition.key} in {deny.label}"
    element = statement.principal
    name = element.entries[0][1] if element and element.entries else "its principal"
    return f"the principal {name} in {statement.label}"


def _findings(subject: Subject, policy: Policy, ways: Sequence[Way]) -> Iterator[PolicyFinding]:
    by_label = {statement.label: statement for statement in policy.statements}
    for way in ways:
        if way.witness and not way.attested:
            yield _unattested(way, by_label.get(way.source))
    for statement in policy.statements:
        yield from statement_findings(subject, statement)
    locked = lock_out(subject)
    if locked:
        yield locked


def _unattested(way: Way, statement: Statement | None) -> PolicyFinding:
    operation = way.action.removeprefix("kms:").lower()
    code = f"unattested_{operation}" if statement else "grant_to_plaintext"
    who = ", ".join(way.principals)
    how = " (whom that account's IAM policies name)" if way.delegates else ""
    if way.witness is None:  # only ways with a witness come here
        raise ValueError(way)
    return PolicyFinding(
        code, "critical", statement,
        f"{way.action} without attestation",
        f"{who}{how} gets the plaintext outside any enclave.",
        "add a Deny of kms:Decrypt for everybody with StringNotEqualsIgnoreCase on"
        " kms:RecipientAttestation:PCR0, and one of kms:ReEncryptFrom; take the operation out here",
        way.witness,
    )  # fmt: skip
