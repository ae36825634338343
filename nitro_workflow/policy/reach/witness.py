"""Concrete requests that show what a statement lets through, found by trying and always decided.

Nothing here is believed: a request counts only when `evaluate` decides it as claimed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.decide import (
    ATTESTATION_PREFIX,
    Effect,
    Policies,
    Request,
    RequestContext,
    evaluate,
)
from nitro_workflow.policy.language import (
    Condition,
    Principal,
    PrincipalElement,
    Statement,
    parse_date,
    parse_key,
    parse_number,
    parse_policy,
)

__all__ = [
    "KEY_ARN",
    "STRANGER",
    "Budget",
    "Witness",
    "candidates",
    "document_values",
    "find",
    "plainest",
    "worst_case",
]

KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"
STRANGER = "arn:aws:sts::999999999999:assumed-role/AnyRole/witness"
_IMAGE = "kms:RecipientAttestation:ImageSha384"
_SESSION = "witness"
_MOST = 64  # requests tried for one statement and action
_VALUES = 16  # values of one condition worth trying
_DAY = 86_400
# Keys that follow from the caller: a witness never contradicts them.
_DERIVED = frozenset(
    {"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username",
     "aws:principalisawsservice", "aws:resourceaccount", "kms:calleraccount", "aws:userid"}
)  # fmt: skip
_EVERYTHING = parse_policy(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}},
    kind="identity",
    name="an identity policy that allows everything",
)


class Budget:
    """How much trying one analysis may do, in statements looked at: about two seconds' worth."""

    __slots__ = ("left",)

    def __init__(self, left: int = 1_500_000) -> None:
        self.left = left

    def spend(self, statements: int) -> bool:
        """Take the cost of one decision; False when there is nothing left."""
        self.left -= statements + 1
        return self.left > 0

    @property
    def exhausted(self) -> bool:
        """Say whether a search was cut short."""
        return self.left <= 0


def worst_case(policies: Policies) -> Policies:
    """Return the set as if the callers' own policies allowed everything."""
    return Policies(policies.resource, (_EVERYTHING,), grants=policies.grants)


@dataclass(frozen=True, slots=True)
class Witness:
    """A request, the policies it is put to, and how they decide it."""

    request: Request
    policies: Policies
    effect: Effect

    @property
    def holds(self) -> bool:
        """Say whether the evaluator decides as claimed."""
        return evaluate(self.request, self.policies).effect == self.effect

    def to_json(self) -> dict[str, Any]:
        """Return the request in the form of `policy explain --request`, and its decision."""
        context = self.request.context
        return {
            "principal": self.request.principal.arn,
            "action": self.request.action,
            "resource": self.request.resource,
            "context": {context.names[key]: list(values) for key, values in context.values.items()},
            "decision": self.effect,
            "assumes": [policy.name for policy in self.policies.identity],
        }


def document_values(pinned: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the attestation keys of a made-up document, with these values put in.

    It is of an enclave, or of a NitroTPM where all the keys given are; never of both.
    """
    given = {name: (parse_key(name), value) for name, value in (pinned or {}).items()}
    nitrotpm = bool(given) and all(key and key.nitrotpm for key, _ in given.values())
    prefix = f"kms:RecipientAttestation:{'NitroTPM' if nitrotpm else ''}PCR"
    values = {f"{prefix}{index}": f"{0xA0 + index:02x}" * 48 for index in (0, 1, 2, 3, 4, 7, 8, 12)}
    if not nitrotpm:
        values[_IMAGE] = values[f"{prefix}0"]
    names = {name.lower(): name for name in values}
    for name, (key, value) in given.items():
        if key and key.nitrotpm == nitrotpm:
            values[names.get(name.lower(), name)] = value
            if key.index == 0 and not nitrotpm:  # the image's digest is PCR0 under another name
                values |= dict.fromkeys((f"{prefix}0", _IMAGE), value)
    return values


def find(
    statement: Statement,
    action: str,
    policies: Policies,
    key_arn: str,
    *,
    document: Mapping[str, str] | None = None,
    effect: Effect = "allowed",
    budget: Budget | None = None,
) -> Witness | None:
    """Look for a request to which the statement applies and that is decided with this effect.

    ``document`` gives the attestation keys; None means that the request carries no document.
    """
    conditions = [c for c in statement.conditions if not _is_attestation(c)]
    denies = policies.resource.denies if policies.resource else ()
    size = len(policies.resource.statements) if policies.resource else 0
    others = [c for deny in denies for c in deny.conditions if not _is_attestation(c)]
    contexts = list(itertools.islice(_contexts(conditions, others), _MOST))
    tried = 0
    for principal in _callers(statement, conditions, key_arn):
        for values in contexts:
            tried += 1
            if tried > _MOST or (budget and not budget.spend(size)):
                return None
            context = RequestContext.what_if({**values, **(document or {})})
            request = Request(principal, action, key_arn, context=context)
            if evaluate(request, policies).effect == effect:
                return Witness(request, policies, effect)
    return None


def plainest(statement: Statement, action: str, policies: Policies, key_arn: str) -> Witness:
    """Return the plainest request that the statement is about: a caller it names, no context."""
    caller = next(_callers(statement, (), key_arn), Principal.parse(STRANGER))
    request = Request(caller, action, key_arn)
    return Witness(request, policies, evaluate(request, policies).effect)


def _is_attestation(condition: Condition) -> bool:
    return condition.folded.startswith(ATTESTATION_PREFIX)


def _contexts(
    conditions: Sequence[Condition], others: Sequence[Condition]
) -> Iterator[dict[str, str]]:
    """Yield contexts that satisfy the conditions, the simplest first."""
    keys: dict[str, list[Condition]] = {}
    for condition in (*conditions, *others):
        if condition.folded not in _DERIVED:
            keys.setdefault(condition.folded, []).append(condition)
    choices: list[list[tuple[str, str | None]]] = []
    for about in keys.values():
        key = about[0].key
        must = [condition for condition in about if condition in conditions]
        fitting = [
            (key, value)
            for value in (None, *candidates(about))
            if all(c.holds({c.folded: (value,)} if value is not None else {}) for c in must)
        ]
        choices.append(fitting)
    for chosen in itertools.product(*choices):
        yield {key: value for key, value in chosen if value is not None}


def candidates(conditions: Iterable[Condition]) -> list[str]:
    """Return values worth trying for a key: those the conditions name, their neighbours, others."""
    values: list[str] = []
    for condition in conditions:
        for text in condition.values[:_VALUES]:
            values += _near(condition.operator.base.family, text)
    return list(dict.fromkeys([*values, "anything-else"]))


def _near(family: str, text: str) -> list[str]:
    if family == "Numeric" and (number := parse_number(text)) is not None:
        return [str(number), str(number - 1), str(number + 1)]
    if family == "Date" and (seconds := parse_date(text)) is not None:
        return [text, *(_iso(int(seconds) + shift) for shift in (-_DAY, _DAY))]
    if family == "Bool":
        return [text, "false" if text.lower() == "true" else "true"]
    if family == "IpAddress":
        return [text.partition("/")[0], "192.0.2.1"]
    if family == "Null":
        return ["present"]
    return [text.replace("*", "").replace("?", "x"), text.replace("*", "x").replace("?", "x")]


def _iso(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _callers(
    statement: Statement, conditions: Sequence[Condition], key_arn: str
) -> Iterator[Principal]:
    element = statement.principal or PrincipalElement((("AWS", "*"),))
    seen: set[str] = set()
    for text in _caller_texts(element, conditions, key_arn, negated=statement.not_principal):
        if text in seen:
            continue
        seen.add(text)
        try:
            yield _session(Principal.parse(text))
        except PolicyError:
            continue


def _caller_texts(
    element: PrincipalElement, conditions: Sequence[Condition], key_arn: str, *, negated: bool
) -> Iterator[str]:
    owner = key_arn.split(":", 5)[4]
    if negated or element.everyone:
        yield from _from_conditions(conditions)
        yield STRANGER
        yield f"arn:aws:iam::{owner}:role/AnyRole"
        yield f"arn:aws:iam::{owner}:user/any-user"
    for kind, value in element.entries:
        if kind == "AWS" and value.strip("0123456789") == "" and len(value) == 12:
            yield f"arn:aws:iam::{value}:role/AnyRole"
        elif value.endswith(":root"):
            yield f"{value.removesuffix(':root')}:role/AnyRole"
            yield value
        else:
            yield value
    yield from _from_conditions(conditions)


def _from_conditions(conditions: Sequence[Condition]) -> Iterator[str]:
    for condition in conditions:
        if condition.folded == "aws:principalarn":
            yield from (value.replace("*", "x").replace("?", "x") for value in condition.values)
        elif condition.folded in ("aws:principalaccount", "kms:calleraccount"):
            yield from (f"arn:aws:iam::{value}:role/AnyRole" for value in condition.values)


def _session(principal: Principal) -> Principal:
    """Turn a role into a session of it: roles themselves never call."""
    if principal.kind != "IAM role" or principal.account is None:
        return principal
    partition = principal.arn.split(":", 2)[1]
    arn = f"arn:{partition}:sts::{principal.account}:assumed-role/{principal.name}/{_SESSION}"
    return Principal.parse(arn, role_arn=principal.arn)
