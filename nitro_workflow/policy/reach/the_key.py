"""Which key a policy is about, where nobody says it: what the policy tells of itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from nitro_workflow.policy.language import Policy, Statement
from nitro_workflow.policy.reach.witness import KEY_ARN

__all__ = ["infer_key"]

_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+", re.ASCII)
_OWNED = re.compile(r"arn:(aws[a-z-]*):(?:iam|sts)::([0-9]{12}):")


def infer_key(policy: Policy) -> tuple[str, str]:
    """Return the key's ARN, and what is assumed by it, ``""`` where that is nothing.

    A key that a Resource names is the key; else its account is that of whoever may change the
    policy, else that of whoever is named most.
    """
    named = Counter(
        text
        for statement in policy.statements
        if statement.resources is not None
        for text in statement.resources.texts
        if _KEY.fullmatch(text)
    )
    if named:
        arn = named.most_common(1)[0][0]
        return arn, f"the key is {arn}" if len(named) > 1 else ""
    changing = [s for s in policy.allows if s.actions.matches("kms:putkeypolicy")]
    for statements in (changing, policy.statements):
        owners = Counter(owner for statement in statements for owner in _owners(statement))
        if owners:
            partition, account = owners.most_common(1)[0][0]
            fields = KEY_ARN.split(":")
            return ":".join([fields[0], partition, *fields[2:4], account, fields[5]]), ""
    return KEY_ARN, ""


def _owners(statement: Statement) -> Iterator[tuple[str, str]]:
    entries = statement.principal.entries if statement.principal else ()
    for kind, value in entries:
        found = _OWNED.match(value) if kind == "AWS" else None
        if found:
            yield found.group(1), found.group(2)
        elif re.fullmatch(r"[0-9]{12}", value):
            yield "aws", value
