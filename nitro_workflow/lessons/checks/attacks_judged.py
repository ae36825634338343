"""What is said to one who sorts attacks: by what each uses, and by how each ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from nitro_workflow.lab import ATTACKS
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["ENDS", "GUESSED", "SORTED", "USES", "judge", "means_of"]

SORTED: Final = (
    "put-key-policy",
    "assume-owner",
    "decrypt-without-document",
    "decrypt-other-root",
    "replayed-request",
    "own-kms",
    "tampered-ciphertext",
    "read-enclave-through-proc",
)
GUESSED: Final = (
    "put-bucket-policy",
    "owner-decrypt",
    "decrypt-wrong-context",
    "replayed-request",
    "image-truncated",
    "read-enclave-through-proc",
    "tampered-ciphertext",
    "other-dataset",
    "old-version",
    "replayed-receipt",
)

_MEANS: Final = {
    "parent administrator": "own",
    "data owner": "own",
    "whoever has the instance role": "role",
    "hostile parent": "machine",
}
USES: Final = {
    "own": "a signed call, and not one that the instance's role may make. Whose is it, then?",
    "role": "a signed Decrypt. On the parent, which credentials may call that?",
    "machine": "no call to AWS. What must one have in hand to do it?",
}
ENDS: Final = {
    "refused": "Somebody said no before anything was won.",
    "useless": "Nobody said no. What did the attacker have in the end?",
    "detected": "Nobody said no, and a result came out of it. Who looks at that?",
}


def means_of(name: str) -> str:
    """Return what an attack of the list uses: a key of `USES`."""
    return _MEANS[ATTACKS[name].party]


def judge(
    said: Any,
    names: tuple[str, ...],
    true: Callable[[str], str],
    hints: Mapping[str, str],
    wording: str,
) -> Verdict:
    """Compare word by word: the first that is wrong is told, with its hint and the count."""
    given = {
        name: str(said[name]).strip().lower() for name in names if said.get(name, ...) is not ...
    }
    odd = [word for word in given.values() if word not in hints]
    if odd:
        return Verdict.wrong(f"{odd[0]!r:.40} is none of {', '.join(hints)}.")
    wrong = [name for name, word in given.items() if word != true(name)]
    left = [name for name in names if name not in given]
    count = f"{len(given) - len(wrong)} of {len(names)} are right."
    if wrong:
        name = wrong[0]
        told = wording.format(name=f"“{ATTACKS[name].what}”", hint=hints[true(name)])
        return Verdict.wrong(f"{name}: not {given[name]}.", told, count)
    if left:
        return Verdict.unanswered(*([count] if given else []), f"Still to say: {', '.join(left)}.")
    return Verdict.right(f"All {len(names)}.")
