"""Who asks (`Principal`), and whom a statement names (`PrincipalElement`).

Source: reference_policies_elements_principal, reference_policies_elements_notprincipal,
reference_policies_evaluation-logic ("Resource-based policies").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from nitro_workflow.errors import PolicyError

__all__ = ["Grip", "Principal", "PrincipalElement", "PrincipalKind", "is_unique_id"]

_ACCOUNT = re.compile(r"[0-9]{12}")
_ARN = re.compile(r"arn:(aws[a-z-]*):(iam|sts)::([0-9]{12}):(.+)", re.DOTALL)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(/\S*)?", re.IGNORECASE)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,127}")


def is_unique_id(text: str) -> bool:
    """Whether a policy names a user or a role by its id: AWS shows it once that one is deleted.

    >>> is_unique_id("AROAJQABLZS4A3QDU576Q"), is_unique_id("arn:aws:iam::111122223333:role/A")
    (True, False)
    """
    return _UNIQUE_ID.fullmatch(text) is not None


class PrincipalKind(StrEnum):
    """What kind of caller; the values are for people and JSON."""

    USER = "IAM user"
    ROLE = "IAM role"
    ASSUMED_ROLE = "assumed role"
    FEDERATED_USER = "federated user"
    ROOT = "account root"
    SERVICE = "AWS service"
    IDENTITY_PROVIDER = "identity provider"
    ANONYMOUS = "anonymous"


class Grip(IntEnum):
    """How a statement holds a caller, weakest first: it decides what else must allow them."""

    NONE = 0
    ACCOUNT = 1  # their account is named: the decision is delegated to that account's IAM policies
    ROLE = 2  # their role is named: boundary and session policy still limit them
    DIRECT = 3  # they themselves (user, session, service) or everyone is named


_IAM_KINDS = {
    "user": PrincipalKind.USER,
    "role": PrincipalKind.ROLE,
    "saml-provider": PrincipalKind.IDENTITY_PROVIDER,
    "oidc-provider": PrincipalKind.IDENTITY_PROVIDER,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request.

    ``arn`` is what CloudTrail shows; ``role_arn`` is the role behind a session (its path is not in
    the session's ARN: give it where it matters). ``account`` is None for services and strangers.
    """

    arn: str
    kind: PrincipalKind
    account: str | None = None
    role_arn: str | None = None
    name: str = ""
    session: str | None = None

    @classmethod
    def parse(cls, text: str, *, role_arn: str | None = None) -> Principal:
        """Read an ARN, a service name, an identity provider or ``anonymous``.

        >>> Principal.parse("arn:aws:sts::111122223333:assumed-role/Parent/i-1").role_arn
        'arn:aws:iam::111122223333:role/Parent'

        Raises `PolicyError` for anything else.
        """
        found = _ARN.fullmatch(text)
        if text in ("anonymous", "*"):
            return cls("anonymous", PrincipalKind.ANONYMOUS)
        if found:
            partition, service, account, rest = found.groups()
            return _from_arn(text, partition, service, account, rest, role_arn)
        if _ACCOUNT.fullmatch(text):
            return cls(f"arn:aws:iam::{text}:root", PrincipalKind.ROOT, text)
        if _HOST.fullmatch(text):
            service = ".amazonaws.com" in text and not text.startswith("cognito-identity.")
            kind = PrincipalKind.SERVICE if service else PrincipalKind.IDENTITY_PROVIDER
            return cls(text, kind, name=text)
        raise _not_a_principal(text)

    def __str__(self) -> str:
        return self.arn


def _not_a_principal(text: str) -> PolicyError:
    return PolicyError(
        f"the principal {text!r}",
        expected="the ARN of a user, role, assumed role or root, a service such as"
        ' ec2.amazonaws.com, or "anonymous"',
        where="principal",
        next="`aws sts get-caller-identity` prints the ARN of the caller",
    )


def _from_arn(
    text: str, partition: str, service: str, account: str, rest: str, role_arn: str | None
) -> Principal:
    head, _, tail = rest.partition("/")
    if service == "iam":
        if rest == "root":
            return Principal(text, PrincipalKind.ROOT, account)
        if head in _IAM_KINDS and tail:
            kind, name = _IAM_KINDS[head], tail.rpartition("/")[2]
            return Principal(
                text, kind, account, text if kind is PrincipalKind.ROLE else None, name
            )
    elif head == "assumed-role" and tail:
        role, _, session = tail.rpartition("/")
        behind = role_arn or f"arn:{partition}:iam::{account}:role/{role}"
        if role and session:
            name = role.rpartition("/")[2]
            return Principal(text, PrincipalKind.ASSUMED_ROLE, account, behind, name, session)
    elif head == "federated-user" and tail:
        return Principal(text, PrincipalKind.FEDERATED_USER, account, name=tail)
    raise _not_a_principal(text)


@dataclass(frozen=True, slots=True)
class PrincipalElement:
    """The `Principal` or `NotPrincipal` of a statement: (type, value) pairs, and an index of them.

    ``entries`` has the type ``AWS``, ``Service``, ``Federated`` or ``CanonicalUser``.
    """

    entries: tuple[tuple[str, str], ...]
    everyone: bool = field(init=False, default=False)
    accounts: frozenset[str] = field(init=False, default=frozenset())
    roles: frozenset[tuple[str, str]] = field(init=False, default=frozenset())
    exact: frozenset[str] = field(init=False, default=frozenset())
    others: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        aws = [value for kind, value in self.entries if kind == "AWS"]
        parsed = [found for value in aws if (found := _ARN.fullmatch(value))]
        accounts = {value for value in aws if _ACCOUNT.fullmatch(value)}
        accounts |= {found.group(3) for found in parsed if found.group(4) == "root"}
        roles = {
            (found.group(3), found.group(4).rpartition("/")[2])
            for found in parsed
            if found.group(2) == "iam" and found.group(4).startswith("role/")
        }
        values = {
            "everyone": "*" in aws,
            "accounts": frozenset(accounts),
            "roles": frozenset(roles),
            "exact": frozenset(aws) - {"*"},
            "others": frozenset(v for kind, v in self.entries if kind in ("Service", "Federated")),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def grip(self, principal: Principal, userid: str = "") -> Grip:
        """Return how firmly the element holds the caller; ``userid`` is their `aws:userid`."""
        if self.everyone:
            return Grip.DIRECT
        kind = principal.kind
        if kind is PrincipalKind.ANONYMOUS:
            return Grip.NONE
        if principal.arn in self.exact and kind is not PrincipalKind.ROLE:
            return Grip.DIRECT
        if kind in (PrincipalKind.SERVICE, PrincipalKind.IDENTITY_PROVIDER):
            return Grip.DIRECT if principal.arn in self.others else Grip.NONE
        if self._names_role(principal) or self._names_id(userid):
            return Grip.ROLE
        if principal.account in self.accounts:
            return Grip.DIRECT if kind is PrincipalKind.ROOT else Grip.ACCOUNT
        return Grip.NONE

    def _names_role(self, principal: Principal) -> bool:
        account = principal.account or ""
        if principal.kind in (PrincipalKind.ROLE, PrincipalKind.ASSUMED_ROLE):
            # Role names are unique in an account, whatever the path.
            return (account, principal.name) in self.roles
        if principal.kind is PrincipalKind.FEDERATED_USER:
            # The session's ARN does not show the IAM user behind it: the same name is taken.
            partition = principal.arn.split(":", 2)[1]
            return f"arn:{partition}:iam::{account}:user/{principal.name}" in self.exact
        return False

    def _names_id(self, userid: str) -> bool:
        # AWS shows AROA…/AIDA… where the named role or user has been deleted.
        return bool(userid) and userid.partition(":")[0] in self.exact

    def exempts(self, principal: Principal) -> bool:
        """Say whether `NotPrincipal` exempts the caller: both they and their role must be named.

        Naming only their account exempts its root user alone.
        Source: reference_policies_elements_notprincipal.
        """
        return self.grip(principal) >= Grip.ROLE

    def unreadable(self) -> tuple[str, ...]:
        """Return the names that AWS would refuse to save: placeholders, partial wildcards."""
        return tuple(
            value
            for kind, value in self.entries
            if kind == "AWS"
            and value != "*"
            and not _ACCOUNT.fullmatch(value)
            and not is_unique_id(value)
            and (not _ARN.fullmatch(value) or "*" in value or "?" in value)
        )
