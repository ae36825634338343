"""Which grants count for a call: the ones on the key, with constraints that hold.

The gate evaluates them with the policies; here their constraints are compared exactly, since
condition keys ignore the case of an encryption context's names and grants do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import Call, LongAnswer, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms.key_records import Key

if TYPE_CHECKING:
    from nitro_workflow.policy import Grant

__all__ = ["WITH_CONTEXT", "Row", "check_tokens", "load", "rows"]

# The operations of a grant that take an encryption context: constraints bind these alone.
WITH_CONTEXT = frozenset(
    {
        *("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "ReEncryptFrom"),
        *("GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "ReEncryptTo"),
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One grant as stored; `constraints` has KMS's members (EncryptionContextEquals, …Subset)."""

    grant_id: str
    key_id: str
    token: str
    name: str
    grantee: str
    retiring: str
    issuing_account: str
    operations: tuple[str, ...]
    constraints: Mapping[str, Mapping[str, str]]
    created: float

    @classmethod
    def from_row(cls, row: Any) -> Row:
        """Read a row of ``kms_grants``."""
        values = dict(row)
        operations = tuple(json.loads(values.pop("operations")))
        constraints = json.loads(values.pop("constraints"))
        return cls(**values, operations=operations, constraints=constraints)

    def holds(self, operation: str, context: Mapping[str, str]) -> bool:
        """Whether the constraints let `operation` be done with this encryption context."""
        if operation not in WITH_CONTEXT:
            return True
        equals = self.constraints.get("EncryptionContextEquals")
        if equals is not None and equals != context:
            return False
        subset = self.constraints.get("EncryptionContextSubset")
        return subset is None or subset.items() <= context.items()

    def may_be_parent_of(
        self, operations: Sequence[str], constraints: Mapping[str, Mapping[str, str]]
    ) -> bool:
        """Whether a grantee may pass these on: no more operations, constraints no weaker."""
        if not set(operations) <= set(self.operations):
            return False
        equals = self.constraints.get("EncryptionContextEquals")
        if equals is not None:
            return constraints.get("EncryptionContextEquals") == equals
        subset = self.constraints.get("EncryptionContextSubset")
        if subset is None:
            return True
        child = constraints.get("EncryptionContextEquals") or constraints.get(
            "EncryptionContextSubset"
        )
        return child is not None and subset.items() <= child.items()

    def to_policy(self) -> Grant:
        """Return the grant as `policy` evaluates it; its constraints have been compared here."""
        from nitro_workflow.policy import Grant

        return Grant(self.grantee, self.operations, self.grant_id, self.name)


def rows(services: Services, key: Key) -> list[Row]:
    """Return every grant on a key."""
    if not key.granted:
        return []
    found = services.store.read().execute(
        "SELECT * FROM kms_grants WHERE key_id = ? ORDER BY grant_id", (key.key_id,)
    )
    return [Row.from_row(row) for row in found]


def _of_caller(services: Services, call: Call, key: Key) -> list[Row]:
    """Return the grants on a key whose grantee the caller can be: a key may have thousands."""
    if not key.granted:
        return []
    caller = call.caller
    names = (caller.arn, caller.entity_arn, f"arn:aws:iam::{caller.account}:root")
    found = services.store.read().execute(
        "SELECT * FROM kms_grants WHERE key_id = ? AND grantee IN (?, ?, ?) ORDER BY grant_id",
        (key.key_id, *names),
    )
    theirs = found.fetchmany(budgets.LOOP_GRANTS + 1) if call.on_loop else found.fetchall()
    if call.on_loop and len(theirs) > budgets.LOOP_GRANTS:
        raise LongAnswer
    return [Row.from_row(row) for row in theirs]


def load(services: Services, call: Call, key: Key, operation: str) -> list[Grant]:
    """Return the grants that count for this call's `operation` on the key."""
    found = _of_caller(services, call, key)
    if not found:
        return []
    if operation == "CreateGrant":
        asked = call.params.get("Operations") or []
        constraints = call.params.get("Constraints") or {}
        return [row.to_policy() for row in found if row.may_be_parent_of(asked, constraints)]
    if operation == "RetireGrant":
        # A grantee who was given RetireGrant ends the grant that gave it, and no other.
        named = (call.params.get("GrantId"), call.params.get("GrantToken"))
        return [row.to_policy() for row in found if row.grant_id in named or row.token in named]
    context = _context(call, operation)
    return [row.to_policy() for row in found if row.holds(operation, context)]


def check_tokens(services: Services, call: Call) -> None:
    """Refuse a grant token that is none. Grants count at once here, so tokens add nothing."""
    for token in call.params.get("GrantTokens") or []:
        row = services.store.read().execute("SELECT 1 FROM kms_grants WHERE token = ?", (token,))
        if row.fetchone() is None:
            raise ServiceFault("InvalidGrantTokenException", "The grant token is not valid.")


def _context(call: Call, operation: str) -> Mapping[str, str]:
    member = {
        "ReEncryptFrom": "SourceEncryptionContext",
        "ReEncryptTo": "DestinationEncryptionContext",
    }.get(operation, "EncryptionContext")
    return call.params.get(member) or {}
