"""Who may do what with a key: every caller with every action, none with a document.

`find_rights` asks the engine; each caller's own IAM policy is taken to say yes to everything, so
what is seen is the key policy's word alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from nitro_workflow.lessons.worlds import policies_of, request_of
from nitro_workflow.policy import evaluate
from nitro_workflow.widgets import Head, PlainModel

__all__ = ["ADMINISTERS", "RIGHTS", "USES", "Rights", "find_rights", "rights_card"]

Rights = Mapping[str, Mapping[str, str]]
"""Caller → action → the decision's effect: ``allowed``, ``implicitDeny``, ``explicitDeny``."""

RIGHTS: Final[Mapping[str, str]] = {
    "kms:PutKeyPolicy": "change its policy",
    "kms:ScheduleKeyDeletion": "delete it",
    "kms:CreateGrant": "hand it on",
    "kms:GenerateDataKey": "make a data key",
    "kms:Decrypt": "decrypt",
}
"""Action → what it is in a table's head."""

ADMINISTERS: Final = ("kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:ScheduleKeyDeletion")
USES: Final = (
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:CreateGrant",
    "kms:ReEncryptFrom",
    "kms:ReplicateKey",
)

_SAID: Final = {"allowed": "yes", "implicitDeny": "no", "explicitDeny": "no: a Deny"}


def find_rights(
    policy: object, callers: Mapping[str, str], actions: Iterable[str] = tuple(RIGHTS)
) -> Rights:
    """Ask for every caller and action. Raises `PolicyError` for what is no policy."""
    asked = policies_of(policy)
    return {
        name: {
            action: evaluate(request_of(arn, {}, action=action), asked).effect for action in actions
        }
        for name, arn in callers.items()
    }


def rights_card(rights: Rights) -> PlainModel:
    """Return the table: a row for each caller, a column for each action of `RIGHTS`."""
    may = {action: [one for one in rights if rights[one][action] == "allowed"] for action in RIGHTS}
    decrypt = may["kms:Decrypt"]
    said = f"{len(decrypt)} of them may decrypt" if decrypt else "None of them may decrypt"
    change = may["kms:PutKeyPolicy"]
    why = f"Who can change that: {', '.join(change) or 'nobody'}."
    head = Head("By this key policy, without a document", said, "neutral", why)
    rows = tuple((one, *(_SAID[rights[one][action]] for action in RIGHTS)) for one in rights)
    return PlainModel(head, columns=("", *RIGHTS.values()), rows=rows)
