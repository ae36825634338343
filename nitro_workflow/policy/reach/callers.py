"""The callers that a key policy and its grants can tell apart, one example of each kind.

A statement names a caller by their ARN, their role, their account or not at all; conditions look at
ARN, account, name and kind. So these are enough:

- everybody who is named: in a Principal or NotPrincipal, as a grant's grantee, as a literal of
  aws:PrincipalArn; of a role a session of any name, and every session that is named;
- in each account that is named, in the key's and in others: the root, and a user, a role and a
  federated user whom nobody names, one for each cell of the patterns on ARN, account and name;
- each service and identity provider that is named and one that is not; and a stranger.

Roles and users have the path they are named with; the others are of the key's partition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.language import (
    ANY,
    Condition,
    Principal,
    PrincipalElement,
    PrincipalKind,
    is_unique_id,
    mark,
)
from nitro_workflow.policy.reach.budget import Budget
from nitro_workflow.policy.reach.pattern_cells import (
    Pattern,
    TooManyCells,
    cells,
    glob,
    text_domain,
)
from nitro_workflow.policy.reach.request_space import Rule
from nitro_workflow.policy.reach.value_classes import text_parts

__all__ = ["Caller", "Callers", "list_callers"]

_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_DIGITS = frozenset("0123456789")
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-")
_PATH = _NAME | {"/"}
_KINDS: tuple[tuple[Any, ...], ...] = (
    ("iam", ":role/", (_PATH, 0), (_NAME, 1)),
    ("iam", ":user/", (_PATH, 0), (_NAME, 1)),
    ("iam", ":root"),
    ("sts", ":federated-user/", (_NAME, 0), (_NAME, 1)),
)
_SESSION = "witness"
_STRANGERS = ("999999999999", "888888888888", "777777777777", "666666666666")
MAX_ACCOUNTS = 40  # accounts whose unnamed callers are listed


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller; ``user_id`` is the unique id that a Principal names them by, else ``""``."""

    principal: Principal
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Callers:
    """The examples; ``opaque`` says why they are not known to be complete, ``""`` if they are."""

    listed: tuple[Caller, ...]
    opaque: str = ""


def list_callers(
    elements: Sequence[PrincipalElement],
    conditions: Sequence[Condition],
    key_arn: str,
    budget: Budget,
) -> Callers:
    """Return the callers; ``conditions`` are those on what follows from the caller."""
    _, partition, _, _, owner, *_ = (*key_arn.split(":"), "", "", "", "", "")
    named = dict.fromkeys(_named(elements, conditions))
    accounts = list(dict.fromkeys([*_accounts(named, conditions), owner]))
    strangers = [text for text in _STRANGERS if text not in accounts][:1]
    listed = (*accounts[:MAX_ACCOUNTS], *strangers)
    opaque = "too many accounts" if len(accounts) > MAX_ACCOUNTS else ""
    unnamed = [text for account in listed for text in _plain(partition, account, named)]
    try:
        unnamed += _fitting(partition, listed, tuple(named), _caller_patterns(conditions), budget)
    except TooManyCells:
        opaque = "too many patterns on callers"
    others = (*_federated(named), *_outsiders(elements, conditions), "anonymous")
    texts = dict.fromkeys([*named, *unnamed, *others])
    plain = [Caller(principal) for text in texts if (principal := _parsed(text)) is not None]
    ids = [value for value in named if is_unique_id(value)]
    return Callers((*plain, *_with_ids(plain, ids)), opaque)


def _named(elements: Iterable[PrincipalElement], conditions: Iterable[Condition]) -> Iterator[str]:
    for element in elements:
        yield from (value for kind, value in element.entries if kind == "AWS" and value != "*")
    exact, folded, _ = text_parts(c for c in conditions if c.folded == "aws:principalarn")
    yield from (*exact, *folded)


def _accounts(named: Iterable[str], conditions: Iterable[Condition]) -> Iterator[str]:
    for text in named:
        yield from _ACCOUNT.findall(text)
    for condition in conditions:
        for value in condition.values:
            yield from _ACCOUNT.findall(value)


def _parsed(text: str) -> Principal | None:
    """Return the caller that a name stands for: of a role a session of it; None for no caller."""
    try:
        principal = Principal.parse(text)
        if principal.kind is not PrincipalKind.ROLE or principal.account is None:
            return principal
        partition = principal.arn.split(":", 2)[1]
        arn = f"arn:{partition}:sts::{principal.account}:assumed-role/{principal.name}/{_SESSION}"
        return Principal.parse(arn, role_arn=principal.arn)
    except PolicyError:
        return None


# ------------------------------------------------------------------------------ whom nobody names


def _caller_patterns(conditions: Iterable[Condition]) -> tuple[Pattern, ...]:
    """Return the patterns on callers as patterns on their ARNs; plain texts are patterns too."""
    found: list[Pattern] = []
    for condition in conditions:
        _, folded, patterns = text_parts([condition])
        if condition.folded == "aws:principalarn":
            found += [*patterns, *(glob(text, fold=True) for text in folded)]
        elif condition.folded in ("aws:principalaccount", "kms:calleraccount"):
            marked = (mark(text) for text in condition.values if set(text) & set("*?"))
            found += [glob(f"arn:{ANY}:{ANY}::{text}:{ANY}") for text in marked]
        elif condition.folded == "aws:username":
            heads = (f"{ANY}:user/", f"{ANY}:user/{ANY}/")
            fold = bool(folded)
            found += [glob(h + mark(v), fold=fold) for h in heads for v in condition.values]
    return tuple(dict.fromkeys(found))


def _plain(partition: str, account: str, named: Iterable[str]) -> Iterator[str]:
    taken = set(named)
    head = f"arn:{partition}:iam::{account}"
    names = ("AnyRole", *(f"AnyRole{number}" for number in range(2, 99)))
    yield next(t for name in names if (t := f"{head}:role/{name}") not in taken)
    yield f"{head}:root"
    yield next(t for name in names if (t := f"{head}:user/{name}".lower()) not in taken)
    yield f"arn:{partition}:sts::{account}:federated-user/any-user-of-STS"


def _fitting(
    partition: str,
    accounts: Sequence[str],
    named: Sequence[str],
    patterns: Sequence[Pattern],
    budget: Budget,
) -> Iterator[str]:
    """Yield one caller of each cell of the patterns, in each account and in others."""
    if not patterns:
        return
    of_accounts = [glob(f"arn:{ANY}:{ANY}::{account}:{ANY}") for account in accounts]
    for account in (*accounts, ""):
        place: str | tuple[frozenset[str], int] = account or (_DIGITS, 12)
        cut = patterns if account else (*patterns, *of_accounts)
        for head, *tail in _KINDS:
            domain = text_domain(f"arn:{partition}:{head}::", place, *tail)
            yield from cells(cut, budget, literals=named, domain=domain)


def _federated(named: Iterable[str]) -> Iterator[str]:
    """Yield the federated users who are called like a named IAM user."""
    for text in named:
        if ":iam::" in text and ":user/" in text:
            name = text.rpartition("/")[2]
            yield f"{text.split(':user/')[0].replace(':iam:', ':sts:')}:federated-user/{name}"


def _outsiders(
    elements: Iterable[PrincipalElement], conditions: Iterable[Condition]
) -> Iterator[str]:
    others = ("Service", "Federated")
    for element in elements:
        yield from (value for kind, value in element.entries if kind in others)
    for condition in conditions:
        if condition.folded == "aws:principalservicename":
            yield from (value.replace("*", "x").replace("?", "x") for value in condition.values)
    yield from ("any-service.amazonaws.com", "arn:aws:iam::999999999999:saml-provider/Any")


def _with_ids(plain: Sequence[Caller], ids: Sequence[str]) -> Iterator[Caller]:
    """Yield every user and role once more with each unique id: an id does not tell whose it is."""
    for unique_id in ids:
        for caller in plain:
            kind = caller.principal.kind
            if kind is PrincipalKind.USER:
                yield Caller(caller.principal, unique_id)
            elif kind is PrincipalKind.ASSUMED_ROLE:
                yield Caller(caller.principal, f"{unique_id}:{caller.principal.session}")


def caller_conditions(rules: Iterable[Rule]) -> tuple[Condition, ...]:
    """Return the conditions of the rules that look at what follows from the caller."""
    return tuple(dict.fromkeys(c for rule in rules for c in rule.about_caller))
