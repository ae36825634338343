"""Findings that follow from the answers: what gets through a way that should not."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.policy.language import Condition, Statement, parse_key
from nitro_workflow.policy.reach.documents import other_images
from nitro_workflow.policy.reach.plaintext_actions import carries_document
from nitro_workflow.policy.reach.policy_finding import (
    PolicyFinding,
    Subject,
    found,
    operator_of,
)
from nitro_workflow.policy.reach.repairs import fence, pin_image
from nitro_workflow.policy.reach.ways import Way, about_attestation, needs_document
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["unpinned_deployment", "way_findings"]

_CLOSED = ("kms:ReEncryptFrom", "kms:CreateGrant")
_FENCE = (
    "add a Deny of kms:Decrypt and kms:DeriveSharedSecret for everybody with"
    " StringNotEqualsIgnoreCase on {register}, and one of kms:ReEncryptFrom and kms:CreateGrant"
)


def way_findings(subject: Subject) -> Iterator[PolicyFinding]:
    """Yield, for each way, the worst of: no document, another image, a debug enclave."""
    for way in subject.ways:
        if way.without.witness is not None:
            yield _unattested(way)
            yield from _absence(way)
        else:
            yield from _other(subject, way)
            yield from _debug(way)
    for way in subject.ways:
        yield from _anyone(way)


def _register(statement: Statement | None) -> str:
    """Return the key that stands for the whole image in documents of the statement's kind."""
    asked = about_attestation(statement) if statement else ()
    registers = [parse_key(condition.key) for condition in asked]
    tpm = [r for r in registers if r is not None and r.nitrotpm]
    if tpm:
        index = next((r.index for r in tpm if r.index == 4), tpm[0].index)
        return f"kms:RecipientAttestation:NitroTPMPCR{index}"
    return "kms:RecipientAttestation:PCR0"


def _unattested(way: Way) -> PolicyFinding:
    operation = way.action.removeprefix("kms:").lower()
    who = ", ".join(way.principals)
    how = " (whom that account's IAM policies name)" if way.delegates else ""
    return PolicyFinding(
        f"unattested_{operation}" if way.statement else "grant_to_plaintext", "critical",
        way.statement, f"{way.action} without attestation",
        f"{who}{how} gets the plaintext outside any enclave.",
        _FENCE.format(register=_register(way.statement)), found(way.without),
        repair=fence(_CLOSED),
    )  # fmt: skip


def _absence(way: Way) -> Iterator[PolicyFinding]:
    statement = way.statement
    loose = _loose(statement) if statement else None
    if statement is not None and loose is not None:
        yield PolicyFinding(
            "absence_satisfies", "critical", statement,
            f"{operator_of(loose)} holds when there is no document",
            "In an Allow, IfExists, ForAllValues, Null “true” and the negated operators are"
            " satisfied by a request that carries no document at all.",
            "use StringEqualsIgnoreCase without IfExists in the Allow; keep the negated form for a"
            " Deny",
            found(way.without), operator_of(loose), pin_image(statement),
        )  # fmt: skip


def _loose(statement: Statement) -> Condition | None:
    """Return a condition that a request without a document satisfies, if nothing else asks."""
    if needs_document(statement):
        return None
    return next((c for c in about_attestation(statement) if c.holds({})), None)


def _other(subject: Subject, way: Way) -> Iterator[PolicyFinding]:
    if way.other.witness is None:
        return
    statement = way.statement
    strict = [
        subject.search.find(way.action, document, only=way.rule)
        for document in other_images(subject.search.space, signers=False)
    ]
    signed = all(outcome.proved for outcome in strict)
    asked = about_attestation(statement) if statement else ()
    operator = operator_of(asked[0] if asked else None)
    register = _register(statement)
    if signed:
        yield PolicyFinding(
            "same_signer", "medium", statement, "only the signer is pinned, not the image",
            "Whoever has an older or another image of the same signer runs that one and decrypts"
            " with it.",
            f"pin {register} beside the signer, or accept every image that is signed with this key",
            found(way.other), operator, pin_image(statement) if statement else None,
        )  # fmt: skip
        return
    yield PolicyFinding(
        "image_not_pinned", "high", statement, "any image decrypts, not only the one that is meant",
        f"{_what(asked)}: whoever starts an enclave of their own with the rest as it should be gets"
        " the plaintext.",
        f"compare {register} with the image's measurement, by StringEqualsIgnoreCase in the Allow"
        " or StringNotEqualsIgnoreCase in a Deny for everybody",
        found(way.other), operator, pin_image(statement) if statement else None,
    )  # fmt: skip


def _what(asked: tuple[Condition, ...]) -> str:
    if not asked:
        return "The statement asks nothing about the image, and no Deny holds against others"
    named = ", ".join(f"{c.operator} {c.key.rpartition(':')[2]}" for c in asked)
    return f"{named} is all that is asked"


def _debug(way: Way) -> Iterator[PolicyFinding]:
    if way.debug.witness is None:
        return
    statement = way.statement
    zeros = _zeros(statement) if statement else None
    asked = about_attestation(statement) if statement else ()
    yield PolicyFinding(
        "debug_allowed", "critical", statement, "an enclave in debug mode decrypts",
        "Whoever starts the enclave starts it in debug mode, where PCR0, PCR1 and PCR2 are zeros"
        " for every image, and reads its console.",
        "compare PCR0 with the image's measurement, without zeros; test in debug mode with another"
        " key",
        found(way.debug), operator_of(zeros or (asked[0] if asked else None)),
        pin_image(statement) if statement else None,
    )  # fmt: skip


def _zeros(statement: Statement) -> Condition | None:
    for condition in about_attestation(statement):
        if any(len(v) == 96 and not v.strip("0") for v in condition.values):
            return condition
    return None


def _anyone(way: Way) -> Iterator[PolicyFinding]:
    """Yield that callers of every account are let in, where a statement names everybody."""
    statement, witness = way.statement, _stranger(way)
    if statement is None or witness is None:
        return
    inside = way.without.witness is None
    yield PolicyFinding(
        "other_accounts", "medium" if inside else "high", statement,
        f"{way.action} for callers of every account",
        "Whoever has an account of AWS calls with a role of their own"
        + (", from an enclave of the image that is named." if inside else "."),
        "name the role that calls as the Principal, or compare aws:PrincipalAccount or"
        " aws:PrincipalOrgID",
        witness,
    )  # fmt: skip


def _stranger(way: Way) -> Witness | None:
    """Return the witness of a way for everybody whose caller is of an account nobody names."""
    element = way.statement.principal if way.statement else None
    if element is None or not element.everyone or way.witness is None:
        return None
    asked = {c.folded for c in (way.statement.conditions if way.statement else ())}
    fences = {"aws:principalaccount", "kms:calleraccount", "aws:principalorgid",
              "aws:principalorgpaths", "aws:principalarn", "aws:sourceaccount",
              "aws:sourcearn", "aws:sourceorgid"}  # fmt: skip
    return None if asked & fences else way.witness


def unpinned_deployment(subject: Subject) -> Iterator[PolicyFinding]:
    """Yield, once, that neither the role nor the instance is pinned, where an image is."""
    loose = [way for way in subject.ways if _deployment_is_free(subject, way)]
    if loose:
        more = f", and in {len(loose) - 1} more statements" if len(loose) > 1 else ""
        yield PolicyFinding(
            "deployment_not_pinned", "low", loose[0].statement,
            f"neither the parent's role (PCR3) nor its instance (PCR4) is pinned{more}",
            "Whoever holds the role's credentials runs the same image on a machine of their own and"
            " chooses what it is fed.",
            "pin PCR3 to the role of the parent instance too",
            found(loose[0].named),
        )  # fmt: skip


def _deployment_is_free(subject: Subject, way: Way) -> bool:
    if way.named.witness is None or way.statement is None or not carries_document(way.action):
        return False
    if way.without.witness is not None or way.other.witness is not None:
        return False
    asked = [parse_key(condition.key) for condition in _asked(subject, way.statement)]
    enclave = [register for register in asked if register is not None and not register.nitrotpm]
    return bool(enclave) and not any(register.index in (3, 4) for register in enclave)


def _asked(subject: Subject, statement: Statement) -> Iterator[Condition]:
    """Yield the attestation conditions that an Allow meets: its own, and every Deny's."""
    yield from about_attestation(statement)
    for deny in subject.policy.denies:
        yield from about_attestation(deny)
