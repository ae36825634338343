"""Public access: which bucket policies are public, and what blocks them.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", 'The meaning of
"public"'. A new bucket blocks all of it, as S3's do since April 2023.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["PublicAccess", "is_public"]

# Condition keys that, compared with fixed values, make a statement for everybody not public.
_NARROWING = frozenset(
    {
        *("aws:principalaccount", "aws:principalarn", "aws:principalorgid"),
        *("aws:principalorgpaths", "aws:sourceaccount", "aws:sourcearn", "aws:sourceip"),
        *("aws:sourceorgid", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid"),
        *("s3:dataaccesspointaccount", "s3:dataaccesspointarn"),
    }
)
_EQUAL = ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress")
# An address range this wide is everybody (S3: "very broad" ranges are public).
_EVERYBODY = frozenset({"*", "0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"})


@dataclass(frozen=True, slots=True)
class PublicAccess:
    """A bucket's PublicAccessBlockConfiguration. Its first two halves speak of ACLs: none here."""

    block_acls: bool = True
    ignore_acls: bool = True
    block_policy: bool = True
    restrict_buckets: bool = True

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> PublicAccess:
        """Read the members of S3's structure; what is absent is false, as S3 takes it."""
        return cls(*(bool(members.get(name, False)) for name in _MEMBERS))

    def to_members(self) -> dict[str, bool]:
        """Return S3's structure."""
        values = (self.block_acls, self.ignore_acls, self.block_policy, self.restrict_buckets)
        return dict(zip(_MEMBERS, values, strict=True))


_MEMBERS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@lru_cache(maxsize=256)
def is_public(text: str) -> bool:
    """Whether a policy (one that has been parsed before) allows something to everybody.

    >>> allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    >>> is_public(json.dumps({"Statement": [allow]}))
    True
    >>> owned = {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}
    >>> is_public(json.dumps({"Statement": [{**allow, "Condition": owned}]}))
    False
    """
    statements = json.loads(text)["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return any(_is_public(statement) for statement in listed)


def _is_public(statement: Mapping[str, Any]) -> bool:
    if statement["Effect"] != "Allow":
        return False
    # Everybody but somebody is a public statement too.
    everybody = "NotPrincipal" in statement or "*" in _principals(statement.get("Principal"))
    return everybody and not _narrowed(statement.get("Condition", {}))


def _principals(element: Any) -> list[str]:
    named = element.get("AWS", []) if isinstance(element, dict) else element or []
    return [named] if isinstance(named, str) else list(named)


def _narrowed(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(
        _fixed(value)
        for operator, keys in condition.items()
        if operator in _EQUAL
        for key, value in keys.items()
        if key.lower() in _NARROWING
    )


def _fixed(value: Any) -> bool:
    """Whether a value is fixed: no wildcard that stands for everybody, no policy variable."""
    values = [value] if isinstance(value, str) else list(value)
    return all(v not in _EVERYBODY and "${" not in v and not v.startswith("*") for v in values)
