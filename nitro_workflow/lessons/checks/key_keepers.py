"""What is said to a statement about a key's administration: by what it lets six callers do.

As with `fences`, a statement is never read to judge it: the engine is asked for every caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nitro_workflow.lessons.key_rights import ADMINISTERS, RIGHTS, USES, Rights, find_rights
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["judge_administration", "judge_narrowed"]

OWNER, READER, ROOT = "DataOwner", "Backup", "account root"
READS: Final = ("kms:GetKeyPolicy", "kms:DescribeKey")

_LOST: Final = {
    "kms:PutKeyPolicy": "The owner could never change this policy: KMS would not take it.",
    "kms:GetKeyPolicy": "The owner cannot read this policy: how would they check it?",
    "kms:ScheduleKeyDeletion": "The owner can never delete the key: AWS goes on billing it.",
}
_USED: Final = {
    "kms:Decrypt": "may decrypt, without any enclave",
    "kms:GenerateDataKey": "may make data keys: that is using the key, not administering it",
    "kms:CreateGrant": "may hand the key on by a grant: that opens it to anybody",
    "kms:ReEncryptFrom": "may re-encrypt to another key, and decrypt there",
    "kms:ReplicateKey": "may make a copy of the key with another policy",
}


def judge_administration(statement: object, callers: Mapping[str, str]) -> Verdict:
    """Say what one statement, alone in a key policy, lets everybody do."""
    rights = find_rights(statement, callers, (*ADMINISTERS, *USES))
    strangers = [name for name in callers if name != OWNER and _any(rights, name)]
    if not _any(rights, OWNER) and not strangers:
        return Verdict.wrong("This lets nobody do anything.", "Look at Effect, then at Principal.")
    if strangers:
        return Verdict.wrong(*_who_else(strangers))
    if used := _first(rights, OWNER, USES):
        return Verdict.wrong(
            f"The owner {_USED[used]}.", "Name the actions that keep a key, one by one."
        )
    for action, said in _LOST.items():
        if not _may(rights, OWNER, action):
            return Verdict.wrong(said, f"Ask for {action}, too.")
    return Verdict.right("The owner keeps the key; nobody uses it, the owner neither.")


def judge_narrowed(policy: Any, callers: Mapping[str, str]) -> Verdict:
    """Say whether the account's roles still read the key and can do nothing else with it."""
    rights = find_rights(policy, callers, (*ADMINISTERS, *USES, *READS))
    for name in callers:
        if used := _first(rights, name, USES):
            return Verdict.wrong(
                f"{name} {_USED[used]}.",
                f"Which statement gives {used}?",
                witness=f"{name}, {used}",
            )
    for name in callers:
        power = _first(rights, name, ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"))
        if name != OWNER and power:
            return Verdict.wrong(
                f"{name} may {RIGHTS[power].replace('its', 'the')}.",
                "Who changes the policy gives themself all the rest.",
                witness=f"{name}, {power}",
            )
    for action, said in _LOST.items():
        if not _may(rights, OWNER, action):
            return Verdict.wrong(said, "Leave the owner's statement as it was.")
    if lacking := [action for action in READS if not _may(rights, READER, action)]:
        return Verdict.wrong(
            f"The auditors of the account lost {lacking[0]}.",
            "Do not take the statement out: narrow its Action.",
        )
    return Verdict.right("The account reads, and the owner alone decides. Nobody decrypts.")


def _who_else(strangers: list[str]) -> tuple[str, str]:
    if strangers == [READER, ROOT]:
        return (
            "The whole account is let in: a role such as Backup, if its own IAM policy says so.",
            "Name the owner's role, not the account.",
        )
    return (f"Not the owner alone: {', '.join(strangers)}, too.", "Whom does Principal name?")


def _may(rights: Rights, name: str, action: str) -> bool:
    return rights[name][action] == "allowed"


def _any(rights: Rights, name: str) -> bool:
    return "allowed" in rights[name].values()


def _first(rights: Rights, name: str, actions: tuple[str, ...]) -> str:
    return next((action for action in actions if _may(rights, name, action)), "")
