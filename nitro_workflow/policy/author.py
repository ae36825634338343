"""Policies for the three parties of the workflow, and changes to them that can be reviewed.

Every function returns plain JSON values and leaves statements it does not know as they are.
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.language import HEX_LENGTH

__all__ = [
    "SIDS",
    "Change",
    "administration_statement",
    "allow_data_keys",
    "attestation_policy",
    "diff",
    "initial_key_policy",
]

VERSION = "2012-10-17"
# The statements this module writes; any other Sid is somebody else's and stays.
SIDS = ("OwnerAdministers", "OwnerMakesDataKeys", "DecryptInsideTheEnclave", "NoDecryptOutside",
        "NoOtherWayToThePlaintext")  # fmt: skip
_ADMINISTRATION = (
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey",
    "kms:DisableKey", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListResourceTags",
    "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:ScheduleKeyDeletion", "kms:TagResource",
    "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
)  # fmt: skip
DATA_KEY_ACTIONS = ("kms:GenerateDataKey", "kms:DescribeKey")


def administration_statement(owner_arn: str) -> dict[str, Any]:
    """Return the owner's statement: the key and its policy, nothing that touches plaintext."""
    return {
        "Sid": "OwnerAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": owner_arn},
        "Action": list(_ADMINISTRATION),
        "Resource": "*",
    }


def initial_key_policy(owner_arn: str, *, key_id: str = "nitro-workflow") -> dict[str, Any]:
    """Return the policy of a new key: its owner administers it, and nobody uses it yet.

    There is no statement for the account's root: IAM policies are given no say.
    """
    return {
        "Version": VERSION,
        "Id": key_id,
        "Statement": [administration_statement(owner_arn), _no_other_way()],
    }


def _no_other_way() -> dict[str, Any]:
    return {
        "Sid": "NoOtherWayToThePlaintext",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["kms:CreateGrant", "kms:ReEncryptFrom", "kms:ReplicateKey"],
        "Resource": "*",
    }


def allow_data_keys(
    policy: Mapping[str, Any], owner_arn: str, *, encryption_context: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the policy with the owner's right to GenerateDataKey (step 3 of the workflow)."""
    statement: dict[str, Any] = {
        "Sid": "OwnerMakesDataKeys",
        "Effect": "Allow",
        "Principal": {"AWS": owner_arn},
        "Action": list(DATA_KEY_ACTIONS),
        "Resource": "*",
    }
    keys = sorted(encryption_context)
    if keys:
        present = {f"kms:EncryptionContext:{key}": "false" for key in keys}
        statement["Action"] = ["kms:GenerateDataKey"]
        statement["Condition"] = {"Null": present}
    return _with(policy, statement)


def attestation_policy(
    policy: Mapping[str, Any],
    instance_role_arn: str,
    measurements: Sequence[Mapping[str, str]],
    *,
    encryption_context: Mapping[str, str] | None = None,
    actions: Sequence[str] = ("kms:Decrypt",),
    harden: bool = True,
) -> dict[str, Any]:
    """Return the policy with Decrypt for the instance role inside the measured enclaves only.

    ``measurements`` has one ``{"PCR0": hex, …}`` an image: during an upgrade the old and the new.
    Each image gets a statement of its own, so that PCRs of different images are never mixed.
    ``harden`` adds the Deny for everybody where PCR0 is none of them, absent included.

    Raises `PolicyError` for a value that is not 96 hexadecimal digits, or is all zeros (debug).
    """
    images = [_measured(entry) for entry in measurements]
    if not images:
        raise PolicyError("no measurements", expected="PCR0 of at least one image", where="author")
    base = _without(policy, ("DecryptInsideTheEnclave", "NoDecryptOutside"))
    for number, image in enumerate(images):
        suffix = "" if number == 0 else str(number + 1)
        statement = _inside(instance_role_arn, image, encryption_context or {}, actions, suffix)
        base["Statement"].append(statement)
    if harden:
        base["Statement"].append(_outside([image["PCR0"] for image in images], actions))
    return base


def _measured(entry: Mapping[str, str]) -> dict[str, str]:
    image = {name.upper(): value.lower() for name, value in entry.items() if value}
    image = {name: value for name, value in image.items() if name.startswith("PCR")}
    for name, value in image.items():
        if len(value) != HEX_LENGTH or set(value) - set("0123456789abcdef"):
            found = f"{name} of {len(value)} characters"
            raise PolicyError(found, expected=f"{HEX_LENGTH} hexadecimal digits", where="author")
        if name in ("PCR0", "PCR1", "PCR2") and not value.strip("0"):
            raise PolicyError(
                f"{name} of zeros", expected="the measurement of an image", where="author",
                next="zeros are what every enclave in debug mode has; measure the image file",
            )  # fmt: skip
    if "PCR0" not in image:
        raise PolicyError("no PCR0", expected="the measurement of the whole image", where="author")
    return image


def _inside(
    role: str,
    image: Mapping[str, str],
    context: Mapping[str, str],
    actions: Sequence[str],
    suffix: str,
) -> dict[str, Any]:
    pcrs = {f"kms:RecipientAttestation:{name}": value for name, value in sorted(image.items())}
    condition: dict[str, Any] = {"StringEqualsIgnoreCase": pcrs}
    if context:
        condition["StringEquals"] = {
            f"kms:EncryptionContext:{key}": value for key, value in sorted(context.items())
        }
    return {
        "Sid": f"DecryptInsideTheEnclave{suffix}",
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": list(actions) if len(actions) > 1 else actions[0],
        "Resource": "*",
        "Condition": condition,
    }


def _outside(images: Sequence[str], actions: Sequence[str]) -> dict[str, Any]:
    values = list(dict.fromkeys(images))
    return {
        "Sid": "NoDecryptOutside",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": list(actions) if len(actions) > 1 else actions[0],
        "Resource": "*",
        "Condition": {
            "StringNotEqualsIgnoreCase": {
                "kms:RecipientAttestation:PCR0": values if len(values) > 1 else values[0]
            }
        },
    }


def _with(policy: Mapping[str, Any], statement: Mapping[str, Any]) -> dict[str, Any]:
    result = _without(policy, (statement["Sid"],))
    result["Statement"].append(dict(statement))
    return result


def _without(policy: Mapping[str, Any], sids: Sequence[str]) -> dict[str, Any]:
    """Return a copy without this module's own statements of these names (and their numbers)."""
    result = copy.deepcopy(dict(policy))
    listed = result.get("Statement", [])
    entries = listed if isinstance(listed, list) else [listed]
    result["Statement"] = [entry for entry in entries if not _is_ours(entry, sids)]
    return result


def _is_ours(entry: Any, sids: Sequence[str]) -> bool:
    sid = entry.get("Sid", "") if isinstance(entry, Mapping) else ""
    return isinstance(sid, str) and sid.rstrip("0123456789") in sids


@dataclass(frozen=True, slots=True)
class Change:
    """The change from one policy to another, by statements and as text.

    ``unified`` is a unified diff of the two documents' JSON, empty when they are equal.
    """

    added: tuple[Mapping[str, Any], ...]
    removed: tuple[Mapping[str, Any], ...]
    changed: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]
    unified: str

    def __bool__(self) -> bool:
        return bool(self.unified)

    def to_json(self) -> dict[str, Any]:
        """Return ``{"added", "removed", "changed", "unified"}``."""
        return {
            "added": [dict(entry) for entry in self.added],
            "removed": [dict(entry) for entry in self.removed],
            "changed": [{"old": dict(old), "new": dict(new)} for old, new in self.changed],
            "unified": self.unified,
        }


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """Return what changed: statements are paired by Sid, those without one by equality."""
    before, after = _listed(old), _listed(new)
    by_sid = {entry["Sid"]: entry for entry in after if entry.get("Sid")}
    sids = {entry["Sid"] for entry in before if entry.get("Sid")}
    removed = [e for e in before if e not in after and e.get("Sid") not in by_sid]
    changed = [
        (entry, by_sid[entry["Sid"]])
        for entry in before
        if entry.get("Sid") in by_sid and by_sid[entry["Sid"]] != entry
    ]
    added = [e for e in after if e not in before and e.get("Sid") not in sids]
    unified = "\n".join(
        difflib.unified_diff(_lines(old), _lines(new), "old policy", "new policy", lineterm="")
    )
    return Change(tuple(added), tuple(removed), tuple(changed), unified)


def _listed(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = policy.get("Statement", [])
    return listed if isinstance(listed, list) else [listed]


def _lines(policy: Mapping[str, Any]) -> list[str]:
    return json.dumps(policy, indent=2, ensure_ascii=False).splitlines()
