"""Policies that are still templates: what stands in for what is to be filled in.

Published samples have ``<ROLE_ARN>`` where a principal goes and ``<PCR0>`` where a measurement
goes. AWS would refuse them, yet the questions about them have answers: a made-up role and a made-up
measurement are put in, and the answer says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.policy.language.attestation_keys import parse_key
from nitro_workflow.policy.language.grammar import parse_policy_leniently
from nitro_workflow.policy.language.policy_document import Policy
from nitro_workflow.policy.language.principals import PrincipalElement

__all__ = ["fill_placeholders", "is_placeholder"]

_MARKED = re.compile(r"<[^<>]+>|\$\{[^{}]+\}|\{\{[^{}]+\}\}")
_WORDS = re.compile(r"pcr|value|example|replace|your|todo|hash|_|-| ", re.IGNORECASE)


def is_placeholder(text: str) -> bool:
    """Say whether text is there to be replaced: ``<…>``, ``${…}``, ``{{…}}``."""
    return _MARKED.search(text) is not None


def _stands_for_principal(text: str) -> bool:
    """Say whether a Principal is none yet; a wildcard in a part of an ARN is a mistake instead."""
    if is_placeholder(text):
        return True
    unreadable = PrincipalElement((("AWS", text),)).unreadable()
    return bool(unreadable) and not set("*?") & set(text)


def _stands_for_measurement(text: str) -> bool:
    return is_placeholder(text) or (
        bool(text.lower().strip("0123456789abcdef")) and _WORDS.search(text) is not None
    )


def fill_placeholders(policy: Policy, key_arn: str) -> tuple[Policy, dict[str, str]]:
    """Return the policy with stand-ins, and what stands for what; the same policy where none is.

    A principal becomes a role of the key's account, a measurement 96 made-up digits.
    """
    filled: dict[str, str] = {}
    account = key_arn.split(":", 5)[4]
    raw = policy.to_json()
    listed = raw.get("Statement")
    for statement in listed if isinstance(listed, list) else [listed]:
        for element in ("Principal", "NotPrincipal"):
            if isinstance(statement, dict) and isinstance(statement.get(element), dict):
                statement[element] = _principals(statement[element], account, filled)
        if isinstance(statement, dict) and isinstance(statement.get("Condition"), dict):
            statement["Condition"] = _conditions(statement["Condition"], filled)
    if not filled:
        return policy, {}
    return parse_policy_leniently(raw, kind=policy.kind, name=policy.name), filled


def _principals(element: Mapping[str, Any], account: str, filled: dict[str, str]) -> dict[str, Any]:
    return {
        kind: _each(value, _stands_for_principal, lambda text: _principal(text, account, filled))
        if kind == "AWS"
        else value
        for kind, value in element.items()
    }


def _each(value: Any, stands: Callable[[str], bool], change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_each(entry, stands, change) for entry in value]
    return change(value) if isinstance(value, str) and stands(value) else value


def _principal(text: str, account: str, filled: dict[str, str]) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", text.rpartition("/")[2]).strip("-") or "placeholder"
    kind = "user" if ":user/" in text else "role"
    known = f"arn:aws:iam::{account}:root" if text.endswith(":root") else ""
    return filled.setdefault(text, known or f"arn:aws:iam::{account}:{kind}/{name}")


def _conditions(block: Mapping[str, Any], filled: dict[str, str]) -> dict[str, Any]:
    return {
        operator: {
            key: _each(value, _stands_for_measurement, lambda text: _measurement(text, filled))
            if parse_key(key)
            else value
            for key, value in keys.items()
        }
        if isinstance(keys, Mapping)
        else keys
        for operator, keys in block.items()
    }


def _measurement(text: str, filled: dict[str, str]) -> str:
    digest = hashlib.sha384(text.encode("utf-8", "surrogatepass")).hexdigest()
    filled[f"{text} as a measurement"] = digest
    return digest
