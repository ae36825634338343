"""Findings about conditions and elements that look right and are not."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.policy.language import (
    HEX_LENGTH,
    Condition,
    PcrKey,
    Statement,
    parse_key,
)
from nitro_workflow.policy.reach.documents import any_enclave
from nitro_workflow.policy.reach.plaintext_actions import (
    RECIPIENT,
    WITHOUT_RECIPIENT,
    is_kms_key,
)
from nitro_workflow.policy.reach.policy_finding import (
    PolicyFinding,
    Repair,
    Severity,
    Subject,
    found,
    operator_of,
)
from nitro_workflow.policy.reach.repairs import (
    drop_condition,
    drop_key,
    drop_statement,
    drop_values,
    every_resource,
    lower_values,
    pin_image,
    split_deny,
    without_action,
)
from nitro_workflow.policy.reach.ways import about_attestation, needs_document

__all__ = ["condition_findings"]

_NEVER_HOLDS = frozenset({"not_a_measurement", "partial_value", "unknown_key", "upper_case"})
"""What each says of a condition is why its statement never applies."""


def condition_findings(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    """Yield what is to be said of one statement, whatever it opens; one finding a cause."""
    form = list(_form(subject, statement))
    values = list(_all_values(subject, statement))
    said = {finding.operator for finding in (*form, *values) if finding.code in _NEVER_HOLDS}
    yield from form
    yield from (f for f in _never(subject, statement) if not f.operator or f.operator not in said)
    yield from _no_recipient(subject, statement)
    if statement.allow:
        yield from _mixed(subject, statement)
        yield from _fenced_absence(subject, statement)
    else:
        yield from _anded(subject, statement)
    yield from values


def _all_values(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    for condition in about_attestation(statement):
        key = parse_key(condition.key)
        if key is not None and condition.operator.base.family == "String":
            yield from _values(subject, statement, condition, key)


def _action(statement: Statement) -> str:
    """Return an operation of the statement that can carry a document, or one that it is about."""
    names = ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair",
             "kms:DeriveSharedSecret", "kms:GenerateRandom")  # fmt: skip
    about = (name for name in names if statement.actions.matches(name.lower()))
    return next(about, "kms:Decrypt")


def _form(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    names = statement.principal.unreadable() if statement.principal else ()
    entries = statement.principal.entries if statement.principal else ()
    names += tuple(value for kind, value in entries if kind == "Service" and value == "*")
    if names:
        yield PolicyFinding(
            "unreadable_principal", "medium" if statement.allow else "high", statement,
            f"{names[0]!r} is not a principal",
            "AWS refuses to save a policy with a placeholder, a malformed ARN, or a wildcard in a"
            " part of one; whoever was meant is not named, and a Deny does not hold against them.",
            "write the ARN of a role, user or account",
            subject.shown(None, _action(statement)),
        )  # fmt: skip
    for condition in statement.conditions:
        if condition.folded.startswith("kms:") and not is_kms_key(condition.folded):
            yield PolicyFinding(
                "unknown_key", "high", statement, f"KMS has no condition key {condition.key}",
                "No request has such a key: a positive condition on it always fails, and whoever a"
                " negated one was to keep out is not kept out.",
                "check the spelling against the KMS guide's list of condition keys",
                subject.shown(None, _action(statement)), operator_of(condition),
                drop_condition(statement, condition),
            )  # fmt: skip


def _never(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    """Yield that a statement can never match: its resource, or conditions that exclude another."""
    space = subject.search.space
    resources = statement.resources
    severity: Severity = "medium" if statement.allow else "high"
    witness = subject.shown(None, _action(statement))
    plain = resources is not None and not resources.templates
    if resources is not None and plain and not resources.matches(space.key_arn, {}):
        yield PolicyFinding(
            "resource_not_the_key", severity, statement,
            f"the Resource {resources.texts[0]} is not this key",
            "In a key policy only the key itself is a resource: the statement applies to"
            " nothing, and whoever it was to keep out is not kept out.",
            'write "*", which is this key here' + _or_nothing(statement),
            witness, repair=_for_key(statement),
        )  # fmt: skip
        return
    rule = subject.rule_of(statement)
    dead = next((key for key, mask in rule.needs.items() if not mask), None)
    mixed = {r.nitrotpm for c in about_attestation(statement) if (r := parse_key(c.key))}
    if dead is not None and len(mixed) < 2:
        condition = next(
            c for c in statement.conditions
            if dead in (c.folded, f"kms:recipientattestation:pcr{_index(c)}")
        )  # fmt: skip
        yield PolicyFinding(
            "never_matches", severity, statement,
            f"no value of {condition.key} satisfies all that is asked of it",
            "The statement applies to no request: what it was to allow is refused, and whoever it"
            " was to keep out is not kept out.",
            "take out the conditions that exclude each other",
            witness, operator_of(condition), drop_statement(statement),
        )  # fmt: skip


def _or_nothing(statement: Statement) -> str:
    return "" if statement.allow else ", if the Deny is meant; it does nothing as it stands"


def _for_key(statement: Statement) -> Repair:
    """Make an Allow of the key; a Deny that never held might shut out who is meant: take it out."""
    return every_resource(statement) if statement.allow else drop_statement(statement)


def _index(condition: Condition) -> int:
    key = parse_key(condition.key)
    return -1 if key is None or key.nitrotpm else key.index


def _mixed(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    kinds = {
        key.nitrotpm
        for c in about_attestation(statement)
        if not c.holds({}) and (key := parse_key(c.key)) is not None
    }
    if len(kinds) == 2:
        yield PolicyFinding(
            "mixed_documents", "high", statement,
            "keys of enclaves and of NitroTPM stand in one statement",
            "A document is of an enclave or of a NitroTPM, never both: the statement never applies,"
            " and its enclave is refused.",
            "make two statements, or drop the NitroTPM keys",
            subject.shown(statement, _action(statement), _registers(statement)),
            repair=drop_key(statement, nitrotpm=True),
        )  # fmt: skip


def _registers(statement: Statement) -> dict[str, str]:
    """Return the registers that a statement compares for equality, as a document has them."""
    return {
        c.key: c.values[0].lower()
        for c in about_attestation(statement)
        if c.values and c.operator.base.family == "String" and not c.operator.base.negated
    }


def _fenced_absence(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    """Yield that an Allow is satisfied without a document, and only a Deny stands before it."""
    if needs_document(statement) or any(w.without.witness for w in subject.ways_of(statement)):
        return
    loose = next((c for c in about_attestation(statement) if c.holds({})), None)
    if loose is not None and subject.ways_of(statement):
        yield PolicyFinding(
            "absence_satisfies", "low", statement,
            f"{operator_of(loose)} holds when there is no document",
            "In an Allow, IfExists, ForAllValues, Null “true” and the negated operators are"
            " satisfied by a request that carries no document at all. Another statement denies such"
            " requests here: whoever takes it out opens the key.",
            "use StringEqualsIgnoreCase without IfExists in the Allow",
            subject.shown(statement, _action(statement)), operator_of(loose),
            pin_image(statement),
        )  # fmt: skip


def _no_recipient(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    asked = about_attestation(statement)
    named = {text.lower() for text in statement.actions.texts}
    about = [a for a in WITHOUT_RECIPIENT if a.lower() in named and a.lower() not in RECIPIENT]
    if not asked or not about or statement.actions.negated:
        return
    if statement.allow:
        if not needs_document(statement):
            return
        says = "the Allow never applies to it"
    else:
        if not all(condition.holds({}) for condition in asked):
            return
        says = "the Deny always applies to it"
    yield PolicyFinding(
        "no_recipient", "medium", statement, f"{about[0]} cannot carry an attestation document",
        "Recipient exists only on Decrypt, DeriveSharedSecret, GenerateDataKey,"
        f" GenerateDataKeyPair and GenerateRandom; with this condition {says}.",
        f"give {about[0]} a statement of its own without attestation keys",
        subject.shown(statement, about[0]), operator_of(asked[0]),
        without_action(statement, about[0]),
    )  # fmt: skip


def _anded(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    """Yield that a Deny with several registers lets through what differs in some of them only."""
    asked = [c for c in about_attestation(statement) if c.operator.base.negated]
    rule = subject.rule_of(statement)
    space = subject.search.space
    if len(asked) < 2 or len(rule.needs) < 2 or not rule.acts("kms:decrypt"):
        return
    for key, mask in rule.needs.items():
        if parse_key(key) is None:
            continue
        outcome = subject.search.find("kms:Decrypt", any_enclave(space, {}), within={key: mask})
        if outcome.witness is not None:
            yield PolicyFinding(
                "deny_keys_anded", "high", statement,
                f"the Deny applies only where all {len(asked)} registers differ",
                "Conditions of one statement are ANDed: whoever has one register right passes with"
                f" any other {key.rpartition(':')[2].upper()}.",
                "give each register a Deny of its own",
                found(outcome), operator_of(asked[0]), split_deny(statement),
            )  # fmt: skip
            return


def _values(
    subject: Subject, statement: Statement, condition: Condition, key: PcrKey
) -> Iterator[PolicyFinding]:
    for value in condition.values:
        if "*" in value or "?" in value:
            yield from _partial(subject, statement, condition, key, value)
        elif len(value) != HEX_LENGTH or value.lower().strip("0123456789abcdef"):
            yield from _no_measurement(subject, statement, condition, key, value)
        elif not value.strip("0"):
            yield from _zeros(subject, statement, condition, key, value)
        elif condition.operator.base.case_sensitive and value != value.lower():
            yield from _upper_case(subject, statement, condition, key, value)


def _partial(
    subject: Subject, statement: Statement, condition: Condition, key: PcrKey, value: str
) -> Iterator[PolicyFinding]:
    literal = "Like" not in str(condition.operator)
    text = "is compared as it is written, and never matches" if literal else "pins a part, or none"
    yield PolicyFinding(
        "partial_value", "high" if literal or key.index in (0, 1, 2, 4) else "medium", statement,
        f"{key.label} is compared with {brief(value)}, which {text}",
        "A measurement is a whole digest: whoever tries images until one fits the part that is"
        " written passes.",
        "write all 96 digits of the measurement, under StringEqualsIgnoreCase",
        subject.shown(statement, _action(statement), _registers(statement)),
        operator_of(condition), pin_image(statement) if key.index == 0 else None,
    )  # fmt: skip


def _no_measurement(
    subject: Subject, statement: Statement, condition: Condition, key: PcrKey, value: str
) -> Iterator[PolicyFinding]:
    yield PolicyFinding(
        "not_a_measurement", "high", statement,
        f"{key.label} is compared with {brief(value)}",
        f"A PCR is {HEX_LENGTH} hexadecimal digits (SHA-384): this value never matches, and the"
        " enclave that is meant is refused, or nobody is kept out.",
        "copy the value from the measurements of the image file",
        subject.shown(statement, _action(statement), {condition.key: "ab" * 48}),
        operator_of(condition),
        pin_image(statement) if key.index == 0 and statement.allow else None,
    )  # fmt: skip


def _zeros(
    subject: Subject, statement: Statement, condition: Condition, key: PcrKey, value: str
) -> Iterator[PolicyFinding]:
    """Yield zeros that only another statement keeps from being a way (`way_findings` has those)."""
    open_ = any(way.debug.witness for way in subject.ways_of(statement))
    if key.nitrotpm or key.index > 2 or open_ or condition.operator.base.negated is statement.allow:
        return
    yield PolicyFinding(
        "debug_allowed", "low", statement,
        f"{key.label} may be all zeros: an enclave in debug mode",
        "In debug mode PCR0, PCR1 and PCR2 are zeros for every image; another statement denies that"
        " here: whoever takes it out opens the key.",
        "take the zeros out; test in debug mode with another key",
        subject.shown(statement, _action(statement), {condition.key: value}),
        operator_of(condition), drop_values(statement, condition, value),
    )  # fmt: skip


def _upper_case(
    subject: Subject, statement: Statement, condition: Condition, key: PcrKey, value: str
) -> Iterator[PolicyFinding]:
    yield PolicyFinding(
        "upper_case", "high", statement,
        f"{key.label} is written in upper case under {condition.operator}",
        "KMS gives PCRs in lower-case hexadecimal, and this operator minds the case: the right"
        " enclave is refused.",
        "use StringEqualsIgnoreCase, or lower-case digits",
        subject.shown(statement, _action(statement), {condition.key: value.lower()}),
        operator_of(condition), lower_values(statement, condition),
    )  # fmt: skip


def brief(value: str) -> str:
    """Return a value short enough for a title."""
    return repr(value) if len(value) <= 40 else f"{value[:12]!r}… of {len(value)} characters"
