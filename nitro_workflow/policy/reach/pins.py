"""Rules about the attestation conditions of an Allow: what they pin, and what they let through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nitro_workflow.policy.language import (
    HEX_LENGTH,
    Condition,
    PcrKey,
    Statement,
    feeds,
    parse_key,
)
from nitro_workflow.policy.reach.fragment import is_attestation, needs_document
from nitro_workflow.policy.reach.policy_finding import PolicyFinding, Subject, attested_action
from nitro_workflow.policy.reach.witness import document_values

__all__ = ["pin_findings"]

_OTHER = "bb" * 48  # a measurement that no policy means


def pin_findings(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    """Yield what is to be said of an Allow's attestation conditions."""
    yield from _pins(subject, statement)
    yield from _absence(subject, statement)
    yield from _values(subject, statement)


def _pinned(statement: Statement) -> dict[str, tuple[Condition, PcrKey]]:
    """Return the conditions that tie the statement to a document, by key."""
    found: dict[str, tuple[Condition, PcrKey]] = {}
    for condition in statement.conditions:
        key = parse_key(condition.key)
        if key and not condition.holds({}) and condition.values:
            found[condition.folded] = (condition, key)
    return found


def _document(statement: Statement, change: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a document that fulfils the statement's conditions as far as one value can."""
    values = {c.key: c.values[0] for c, _ in _pinned(statement).values()}
    return document_values({**values, **(change or {})})


def _pins(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    action, pinned = attested_action(statement), _pinned(statement)
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
        yield PolicyFinding(
            "image_not_pinned", "high", statement, f"only {pins} is pinned, not the image",
            f"{measured}. An enclave with any other rest of the image fulfils this.",
            "pin PCR0 (kms:RecipientAttestation:ImageSha384), or PCR8 with a signing certificate"
            " you trust",
            witness,
        )  # fmt: skip


def _mixed(
    subject: Subject, statement: Statement, action: str, *, enclave: bool
) -> Iterator[PolicyFinding]:
    if not enclave:
        return
    values = {c.key: c.values[0] for c, key in _pinned(statement).values() if not key.nitrotpm}
    witness = subject.refused(statement, action, document_values(values))
    if witness:
        yield PolicyFinding(
            "mixed_documents", "high", statement,
            "keys of enclaves and of NitroTPM stand in one statement",
            "A document is of an enclave or of a NitroTPM, never both: it never applies.",
            "make two statements, or drop the NitroTPM keys",
            witness,
        )  # fmt: skip


def _absence(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    action = attested_action(statement)
    loose = [c for c in statement.conditions if is_attestation(c) and c.holds({})]
    if not loose or not action or needs_document(statement):
        return
    witness = subject.allowed(statement, action, None) or subject.refused(statement, action, None)
    if witness:
        allowed = witness.effect == "allowed"
        yield PolicyFinding(
            "absence_satisfies", "critical" if allowed else "low", statement,
            f"{loose[0].operator} {loose[0].key} holds when there is no document",
            "In an Allow, IfExists, ForAllValues, Null “true” and the negated operators are"
            " satisfied by a request that carries no document at all."
            + ("" if allowed else " Another statement denies such requests here."),
            "use StringEqualsIgnoreCase without IfExists in the Allow; keep the negated form for a"
            " Deny",
            witness,
        )  # fmt: skip


def _values(subject: Subject, statement: Statement) -> Iterator[PolicyFinding]:
    action = attested_action(statement)
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
) -> Iterator[PolicyFinding]:
    found = _document(statement, {condition.key: value.lower()})
    if "*" in value or "?" in value:
        return
    if len(value) != HEX_LENGTH or value.lower().strip("0123456789abcdef"):
        witness = subject.refused(statement, action, document_values())
        if witness:
            yield PolicyFinding(
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
            yield PolicyFinding(
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
            yield PolicyFinding(
                "upper_case", "high", statement,
                f"{key.label} is written in upper case under {condition.operator}",
                "KMS gives PCRs in lower-case hexadecimal, and this operator minds the case: the"
                " right enclave is refused.",
                "use StringEqualsIgnoreCase, or lower-case digits",
                witness,
            )  # fmt: skip


def _brief(value: str) -> str:
    return repr(value) if len(value) <= 40 else f"{value[:12]!r}… of {len(value)} characters"
