"""Policies that are still templates: what stands in for what is to be filled in.

Published samples have ``<ROLE_ARN>`` where a principal goes and ``<PCR0>`` where a measurement
goes. AWS would refuse them, yet the questions about them have answers: a made-up role and a made-up
measurement are put in, and the answer says so.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.policy.language.attestation_keys import parse_key
from nitro_workflow.policy.language.grammar import parse_policy_leniently
from nitro_workflow.policy.language.policy_document import Policy
from nitro_workflow.policy.language.principals import PrincipalElement

__all__ = ["fill_placeholders", "is_placeholder"]

_MARKED = re.compile(r"<[^<>]+>|\$\{[^{}]+\}|\{\{[^{}]+\}\}")
_TEMPLATE_NAME = re.compile(r"\$\{\w[\w.-]*\}")
_WORDS = re.compile(r"pcr|value|example|replace|your|todo|hash|_|-", re.IGNORECASE)
_SPACING = re.compile(r"[\s:._-]+")
_IN_ARN = re.compile(r"arn:[^:]*:(?:iam|sts)::(?P<account>[^:]+):(?P<rest>.+)", re.DOTALL)
_ACCOUNT_KEYS = ("aws:principalaccount", "kms:calleraccount", "aws:resourceaccount")
_FIRST_ACCOUNT = 222_200_000_001  # made-up accounts, one for each that is to be filled in


def is_placeholder(text: str) -> bool:
    """Say whether text is there to be replaced: ``<…>``, ``${…}``, ``{{…}}``."""
    return _MARKED.search(text) is not None


def is_marked(text: str) -> bool:
    """Say whether a condition's value is to be filled in: ``${…}`` is a policy variable there."""
    return re.search(r"<[^<>]+>|\{\{[^{}]+\}\}", text) is not None


def _stands_for_principal(text: str) -> bool:
    """Say whether a Principal is none yet: it is marked, or a word instead of an ARN.

    A malformed ARN, or a wildcard in a part of one, is a mistake: it names nobody.
    """
    if is_placeholder(text):
        return True
    if set(text) & set("*?"):
        return False
    found = _IN_ARN.fullmatch(text)
    if found:
        return not found["account"].isdigit() and re.fullmatch(r"\w+", found["account"]) is not None
    return bool(PrincipalElement((("AWS", text),)).unreadable()) and not (
        text.startswith("arn:") or text.isdigit()
    )


def _stands_for_measurement(text: str) -> bool:
    """Say whether a value is to be filled in.

    Digits in groups are a mistake instead. ``${aws:userid}`` is a policy variable: whoever asks may
    have a hand in its value. ``${PCR0}`` is none, since every context key has a prefix.
    """
    if "${" in _TEMPLATE_NAME.sub("", text):
        return False
    digits = _SPACING.sub("", text).lower()
    words = bool(digits.strip("0123456789abcdef")) and _WORDS.search(text) is not None
    return is_placeholder(text) or words


def fill_placeholders(policy: Policy, key_arn: str) -> tuple[Policy, dict[str, str]]:
    """Return the policy with stand-ins, and what stands for what; the same policy where none is.

    A principal becomes a role of the key's account whom nobody else is, an account one of its own,
    a measurement 96 made-up digits. Two placeholders are never the same.
    """
    filled: dict[str, str] = {}
    raw = policy.to_json()
    stands_in = _StandIns(policy, key_arn.split(":", 5)[4], filled)
    listed = raw.get("Statement")
    for statement in listed if isinstance(listed, list) else [listed]:
        for element in ("Principal", "NotPrincipal"):
            if isinstance(statement, dict) and isinstance(statement.get(element), dict):
                statement[element] = _principals(statement[element], stands_in)
        if isinstance(statement, dict) and isinstance(statement.get("Condition"), dict):
            statement["Condition"] = _conditions(statement["Condition"], stands_in)
    if not filled:
        return policy, {}
    return parse_policy_leniently(raw, kind=policy.kind, name=policy.name), filled


def _principals(element: Mapping[str, Any], stands_in: _StandIns) -> dict[str, Any]:
    return {
        kind: _each(value, _stands_for_principal, stands_in.principal) if kind == "AWS" else value
        for kind, value in element.items()
    }


def _each(value: Any, stands: Callable[[str], bool], change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_each(entry, stands, change) for entry in value]
    return change(value) if isinstance(value, str) and stands(value) else value


class _StandIns:
    """Makes up a principal for each placeholder, none that is named or made up already."""

    def __init__(self, policy: Policy, account: str, filled: dict[str, str]) -> None:
        self.account, self.filled = account, filled
        self.accounts: dict[str, str] = {}
        elements = (s.principal for s in policy.statements if s.principal is not None)
        self.taken = {value.lower() for element in elements for _, value in element.entries}

    def principal(self, text: str) -> str:
        """Return what a placeholder stands for; the same for the same text."""
        if text not in self.filled:
            self.filled[text] = self._new(text)
            self.taken.add(self.filled[text].lower())
        return self.filled[text]

    def values(self, key: str, value: Any) -> Any:
        """Return the values of a condition key, where they are compared with what is made up."""
        if parse_key(key):
            return _each(value, _stands_for_measurement, self._measurement)
        if key.lower() == "aws:principalarn":
            return _each(value, is_marked, self.principal)
        if key.lower() in _ACCOUNT_KEYS:
            return _each(value, is_marked, self._named_account)
        return value

    def _measurement(self, text: str) -> str:
        digest = hashlib.sha384(text.encode("utf-8", "surrogatepass")).hexdigest()
        self.filled[f"{text} as a measurement"] = digest
        return digest

    def _named_account(self, text: str) -> str:
        self.filled[text] = self._account(text)
        return self.filled[text]

    def _new(self, text: str) -> str:
        found = _IN_ARN.fullmatch(text)
        account = self._account(found["account"]) if found else self.account
        if text.endswith(":root"):
            return f"arn:aws:iam::{account}:root"
        last = (found["rest"] if found else text).rpartition("/")[2]
        name = re.sub(r"[^A-Za-z0-9]+", "-", last).strip("-") or "placeholder"
        kind = "user" if ":user/" in text else "role"
        tries = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        arns = (f"arn:aws:iam::{account}:{kind}/{tried}" for tried in tries)
        return next(arn for arn in arns if arn.lower() not in self.taken)

    def _account(self, text: str) -> str:
        """Return the account; the first that is to be filled in is taken for the key's own."""
        if text.isdigit():
            return text
        if text not in self.accounts:
            others = len(self.accounts) - 1
            self.accounts[text] = self.account if others < 0 else str(_FIRST_ACCOUNT + others)
        return self.accounts[text]


def _conditions(block: Mapping[str, Any], stands_in: _StandIns) -> dict[str, Any]:
    return {
        operator: {key: stands_in.values(key, value) for key, value in keys.items()}
        if isinstance(keys, Mapping)
        else keys
        for operator, keys in block.items()
    }
