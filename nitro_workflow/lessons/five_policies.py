"""Five key policies that somebody believed to be safe, for judging: lesson 06.

Each name says nothing. ``A``, ``B`` and ``C`` stand for PCR0, PCR1 and PCR2 of the learner's image;
`KeyCase.document` puts the values in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.errors import UsageError
from nitro_workflow.policy import Grant

__all__ = ["FIVE", "KeyCase", "find_case"]

FIVE: Final = ("harbour", "lantern", "meadow", "orchard", "quarry")

_PCR: Final = "kms:RecipientAttestation:PCR"
_LETTERS: Final = {"A": "PCR0", "B": "PCR1", "C": "PCR2"}


@dataclass(frozen=True, slots=True)
class KeyCase:
    """One key: its policy, and the grants that ListGrants would show."""

    name: str
    statements: tuple[Mapping[str, Any], ...]
    listed_grants: tuple[Mapping[str, Any], ...]
    pcrs: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """Return the policy as KMS would have it, with the PCRs in; a new one each time."""
        values = {letter: self.pcrs[name] for letter, name in _LETTERS.items()}

        def put(value: Any) -> Any:
            if isinstance(value, Mapping):
                return {name: put(part) for name, part in value.items()}
            if isinstance(value, list | tuple):
                return [put(part) for part in value]
            return values.get(value, value)

        return {"Version": "2012-10-17", "Statement": [put(one) for one in self.statements]}

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The grants as the engine takes them."""
        return tuple(Grant.from_json(one) for one in self.listed_grants)

    @property
    def _text(self) -> str:
        return "[\n" + ",\n".join(map(_laid_out, self.statements)) + "\n]"

    @property
    def _grants_text(self) -> str:
        return "\n".join(map(_laid_out, self.listed_grants)) or "none"

    def __repr__(self) -> str:
        return f"{self.name}\n{self._text}\nListGrants: {self._grants_text}"

    def _repr_markdown_(self) -> str:
        return (
            f"**{self.name}**, its statements:\n\n```json\n{self._text}\n```\n"
            f"What `ListGrants` answers:\n\n```json\n{self._grants_text}\n```"
        )


def _laid_out(record: Mapping[str, Any]) -> str:
    """Return JSON with a line for each member: a policy that one can see at once."""
    members = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items())
    return " {\n" + ",\n".join(members) + "\n }"


def find_case(name: str, roles: Mapping[str, str], pcrs: Mapping[str, str]) -> KeyCase:
    """Return one of the five. ``roles`` are ARNs of ``owner``, ``instance``, ``root``, ``backup``.

    Raises `UsageError` for another name.
    """
    if name not in FIVE:
        raise UsageError(
            f"no policy {name!r}",
            expected=", ".join(FIVE),
            where="lesson.policy",
            next="name one of the five",
        )
    statements, grants = _case(name, roles)
    return KeyCase(name, (_administers(roles["owner"]), *statements), grants, pcrs)


def _case(
    name: str, roles: Mapping[str, str]
) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    instance, account = roles["instance"], roles["root"].split(":")[4]
    ours = _allow("OurImageDecrypts", instance, {"StringEqualsIgnoreCase": {f"{_PCR}0": "A"}})
    not_ours = {"StringNotEqualsIgnoreCase": {f"{_PCR}0": "A"}}
    if name == "harbour":
        three = {f"{_PCR}{number}": letter for number, letter in enumerate("ABC")}
        fence = _deny("OnlyOurImage", "kms:Decrypt", {"StringNotEqualsIgnoreCase": three})
        return (_allow("InstanceDecrypts", instance), fence), ()
    if name == "lantern":
        return (_allow("EnclavesDecrypt", instance, {"Null": {f"{_PCR}0": "false"}}),), ()
    if name == "meadow":
        lenient = {"StringEqualsIgnoreCaseIfExists": {f"{_PCR}0": "A"}}
        return (_allow("OurImageDecrypts", instance, lenient),), ()
    if name == "orchard":
        delegated = {**_allow("AccountDecidesByIAM", roles["root"]), "Action": "kms:*"}
        fence = _deny("NobodyElse", "kms:Decrypt", not_ours)
        return (delegated, ours, fence, _no_other_way()), ()
    left_out = {**not_ours, "StringNotEquals": {"aws:PrincipalAccount": account}}
    grant = {
        "Name": "nightly-backup",
        "GranteePrincipal": roles["backup"],
        "IssuingAccount": roles["root"],
        "Operations": ["Decrypt"],
    }
    return (ours, _deny("NobodyElse", "kms:Decrypt", left_out), _no_other_way()), (grant,)


def _administers(owner: str) -> dict[str, Any]:
    actions = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy"]
    return {**_allow("OwnerAdministers", owner), "Action": actions}


def _no_other_way() -> dict[str, Any]:
    actions = ["kms:CreateGrant", "kms:ReEncryptFrom", "kms:ReplicateKey"]
    return _deny("NoOtherWay", actions)


def _allow(sid: str, arn: str, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
    return {**statement, **({"Condition": condition} if condition else {})}


def _deny(
    sid: str, action: str | list[str], condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {**_allow(sid, "*", condition), "Effect": "Deny", "Action": action}
