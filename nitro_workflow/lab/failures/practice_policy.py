"""Statements of practice keys' policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nitro_workflow.lab.failures.set_up import CONTEXT

__all__ = ["allow", "deny", "key_policy", "pcr_keys"]

_PREFIX: Final = "kms:RecipientAttestation:"
_OWNERS: Final = (
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:ListKeyRotations",
    "kms:PutKeyPolicy",
    "kms:RotateKeyOnDemand",
    "kms:CreateAlias",
    "kms:ScheduleKeyDeletion",
)


def key_policy(owner: str, statements: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a policy: the owner administers the key; what else stands in it is the set-up's."""
    administers = {
        "Sid": "OwnerAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": owner},
        "Action": list(_OWNERS),
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [administers, *statements]}


def pcr_keys(pcrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return PCR name → value as condition key → value."""
    return {f"{_PREFIX}{name}": value for name, value in pcrs.items()}


def allow(
    who: str, pcrs: Mapping[str, str], *, operator: str = "StringEqualsIgnoreCase"
) -> dict[str, Any]:
    """Return the Allow for a role inside an image, for the practice context."""
    context = {f"kms:EncryptionContext:{name}": value for name, value in CONTEXT.items()}
    conditions = {operator: pcr_keys(pcrs)} if pcrs else {}
    conditions["StringEquals"] = {**conditions.get("StringEquals", {}), **context}
    return {
        "Sid": "DecryptInsideTheEnclave",
        "Effect": "Allow",
        "Principal": {"AWS": who},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": conditions,
    }


def deny(
    pcrs: Mapping[str, Any], *, operator: str = "StringNotEqualsIgnoreCase", sid: str = ""
) -> dict[str, Any]:
    """Return a Deny for everybody whose document says something else."""
    return {
        "Sid": sid or "NoDecryptOutside",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {operator: pcr_keys(pcrs)},
    }
