"""Who may decrypt with a key: every caller with every document, by brute force.

`find_doors` asks the engine six times six questions about Decrypt, and who may do the four things
that reach the plaintext by another way or change the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nitro_workflow.lessons.worlds import DOCUMENTS, document_of_world, policies_of, request_of
from nitro_workflow.policy import Grant, evaluate
from nitro_workflow.widgets import Head, PlainModel

__all__ = ["QUESTIONS", "Doors", "doors_card", "find_doors"]

QUESTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "without a document": ("none",),
    "another image": ("same-kernel", "same-application", "other"),
    "debug": ("debug",),
}
"""The three questions, and the documents of `worlds.DOCUMENTS` that answer each."""

_OTHER: Final = ("kms:ReEncryptFrom", "kms:CreateGrant", "kms:ReplicateKey", "kms:PutKeyPolicy")


@dataclass(frozen=True, slots=True)
class Doors:
    """``decrypt``: caller → the documents with which they may decrypt; ``other``: action → who."""

    decrypt: Mapping[str, frozenset[str]]
    other: Mapping[str, tuple[str, ...]]

    def witness(self, question: str) -> str:
        """Return a caller and a document that answer one of the three questions; "" for none."""
        for caller, documents in self.decrypt.items():
            for name in QUESTIONS[question]:
                if name in documents:
                    return f"{caller}, with {DOCUMENTS[name]}"
        return ""

    def let_in(self) -> frozenset[str]:
        """Return the documents with which anybody gets in."""
        return frozenset().union(*self.decrypt.values())


def find_doors(
    policy: object,
    pcrs: Mapping[str, str],
    callers: Mapping[str, str],
    grants: Sequence[Grant] = (),
) -> Doors:
    """Ask for every caller with every document. Raises `PolicyError` for what is no policy."""
    asked = policies_of(policy, grants)

    def may(caller: str, action: str, document: str) -> bool:
        request = request_of(caller, document_of_world(pcrs, document), action=action)
        return evaluate(request, asked).effect == "allowed"

    return Doors(
        {
            name: frozenset(one for one in DOCUMENTS if may(arn, "kms:Decrypt", one))
            for name, arn in callers.items()
        },
        {
            action: tuple(name for name, arn in callers.items() if may(arn, action, "none"))
            for action in _OTHER
        },
    )


def doors_card(doors: Doors, title: str) -> PlainModel:
    """Return the table: a row for each caller, a column for each kind of document."""
    found = {question: doors.witness(question) for question in QUESTIONS}
    ways = [witness for witness in found.values() if witness]
    said = f"A door is open: {ways[0]}" if ways else "No door: three times no"
    return PlainModel(
        Head(
            title,
            said,
            "bad" if ways else "good",
            f"And {', and '.join(ways[1:])}." if ways[1:] else "",
        ),
        columns=("", "no document", "ours", "another image", "debug", "may also"),
        rows=tuple(_row(doors, name, found) for name, found in doors.decrypt.items()),
    )


def _row(doors: Doors, caller: str, found: frozenset[str]) -> tuple[str, ...]:
    other = [DOCUMENTS[one] for one in QUESTIONS["another image"] if one in found]
    names = [action.removeprefix("kms:") for action, who in doors.other.items() if caller in who]
    return (
        caller,
        _open("none" in found),
        "✓ sealed to the enclave" if "ours" in found else "no",
        f"✗ yes: {', '.join(other)}" if other else "no",
        _open("debug" in found),
        ", ".join(names) or "nothing",
    )


def _open(yes: bool) -> str:
    return "✗ yes" if yes else "no"
