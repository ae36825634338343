"""What is said to an Allow, a Deny and a mended policy: by what they do with every document.

A statement is never read to judge it, only to word what is said: two that let the same requests
through are told the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nitro_workflow.lessons.key_doors import QUESTIONS, Doors, find_doors
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.lessons.worlds import DOCUMENTS, ask_policy, document_of_world, policy_from

__all__ = ["judge_allow", "judge_deny", "judge_mended"]

_EVERY: Final = frozenset(DOCUMENTS)
_KERNEL: Final = "An image you never saw gets in: it has your kernel."
_APPLICATION: Final = "Your application on a kernel you never saw gets in."
_WHOLE: Final = "Which PCR covers the whole image?"
_ZEROS: Final = "A debug enclave gets in: zeros are what it shows, whatever runs in it."
_UPSIDE_DOWN: Final = "Upside down"

Said = tuple[str, ...]


def judge_allow(
    statement: Mapping[str, Any], pcrs: Mapping[str, str], callers: Mapping[str, str]
) -> Verdict:
    """Say what an Allow for the instance does with six documents."""
    doors = find_doors(statement, pcrs, {"ParentInstance": callers["ParentInstance"]})
    let_in = doors.decrypt["ParentInstance"]
    if let_in == {"ours"}:
        return Verdict.right(*_right_allow(statement, pcrs))
    said = {
        _EVERY: ("No condition at all: the instance decrypts without any enclave.",),
        _EVERY - {"none"}: (
            "Any enclave gets in, a debug one too.",
            "You ask that a document is there: do you ask which?",
        ),
        _EVERY - {"ours"}: (f"{_UPSIDE_DOWN}: everybody but your image gets in.",),
        frozenset({"none", "ours"}): (
            "A request without a document gets in: IfExists is satisfied by nothing.",
        ),
        frozenset({"ours", "same-kernel"}): (_KERNEL, _WHOLE),
        frozenset({"ours", "same-application"}): (_APPLICATION, _WHOLE),
        frozenset({"ours", "debug"}): (_ZEROS, "Take the zeros out of the list."),
        frozenset[str](): _stays_out(statement, pcrs, callers),
    }.get(let_in, _other(doors))
    return Verdict.wrong(*said, witness=_witness(doors))


def judge_deny(
    deny: Mapping[str, Any], pcrs: Mapping[str, str], callers: Mapping[str, str]
) -> Verdict:
    """Say what a Deny does beside an Allow for the whole world, and to the owner's own rights."""
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": callers["DataOwner"]},
        "Action": "kms:PutKeyPolicy",
        "Resource": "*",
    }
    doors = find_doors([_WORLD, owner, deny], pcrs, callers)
    if not doors.other["kms:PutKeyPolicy"]:
        return Verdict.wrong(
            "Nobody could ever change this policy again, and KMS refuses it: “The new key policy "
            "will not allow you to update the key policy in the future.”",
            "Deny one action: the one that gives the plaintext.",
        )
    if deny.get("Effect") != "Deny":
        return Verdict.wrong("That is an Allow: it opens what you meant to close.")
    if len(set(doors.decrypt.values())) > 1:
        return Verdict.wrong(
            "You fence in the one who was fenced already. Who else is there?",
            witness=_witness(doors),
        )
    let_in = doors.let_in()
    if let_in == {"ours"}:
        return Verdict.right(*_right_deny(deny))
    return Verdict.wrong(*_wrong_deny(deny, let_in, doors), witness=_witness(doors))


def judge_mended(
    policy: Any, given: Mapping[str, Any], pcrs: Mapping[str, str], callers: Mapping[str, str]
) -> Verdict:
    """Say whether a policy's side doors are shut, its Allows as they were given."""
    doors = find_doors(policy, pcrs, callers)
    if "DataOwner" not in doors.other["kms:PutKeyPolicy"]:
        return Verdict.wrong("The owner can no longer change this policy.")
    if "ours" not in doors.decrypt["ParentInstance"]:
        upside_down = "other" in doors.let_in()
        first = f"{_UPSIDE_DOWN}: your own image stays out."
        return Verdict.wrong(first if upside_down else "Your own image stays out, too.")
    found = [question for question in QUESTIONS if doors.witness(question)]
    if found:
        return Verdict.wrong(*_still_open(doors, found), witness=doors.witness(found[0]))
    if _allows(policy) != _allows(given):
        return Verdict.wrong(
            "That works, but the next Allow opens it again.",
            "Leave the Allow as it was: mend the Deny.",
        )
    return Verdict.right(*_right_mended(policy, pcrs))


_WORLD: Final = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": ["kms:Decrypt"],
    "Resource": "*",
}


# -- right, and a word on how ----------------------------------------------------------------------


def _right_allow(statement: Mapping[str, Any], pcrs: Mapping[str, str]) -> Iterator[str]:
    yield "Ours gets in; the other five do not."
    conditions = dict(_conditions(statement))
    if any("imagesha384" in key for key in conditions):
        yield "ImageSha384 is the same value as PCR0."
    if _idle_values(conditions, pcrs):
        yield (
            "But some values of your list can never match: a list under one key means or, "
            "and no image has your PCR1 as its PCR0."
        )


def _right_deny(deny: Mapping[str, Any]) -> Iterator[str]:
    yield "Beside an Allow for the whole world, only your image gets in."
    if any(operator.endswith("IfExists") for operator in _operators(deny)):
        yield "IfExists changes nothing here: a negated operator is true without the key anyway."


def _right_mended(policy: Any, pcrs: Mapping[str, str]) -> Iterator[str]:
    denies = [one for one in _statements(policy) if one.get("Effect") == "Deny"]
    yield "Closed."
    if any(_idle_values(dict(_conditions(one)), pcrs) for one in denies):
        yield "Some values of your list can never match: no image has your PCR1 as its PCR0."
    elif len(denies) > 1:
        yield "Statements are joined by or: in a Deny that is strict."
    else:
        yield "PCR0 covers kernel and application already."


# -- wrong: what gets in, and where to look --------------------------------------------------------


def _wrong_deny(deny: Mapping[str, Any], let_in: frozenset[str], doors: Doors) -> Said:
    operators = _operators(deny)
    negated = any("Not" in operator for operator in operators)
    if let_in == _EVERY:
        return ("The Deny stands beside the door: which action gives the plaintext?",)
    if not let_in and not operators:
        return ("Nobody decrypts any more, your enclave included.", "Who is to be left out?")
    if let_in == _EVERY - {"none"}:
        if negated:
            return (
                "Two operators are joined by and: now only absence is stopped.",
                "Does the negated operator need company?",
            )
        return ("Only requests without a document are stopped; any enclave gets in.",)
    if let_in == {"none", "ours"}:
        if any(operator.startswith("ForAnyValue") for operator in operators):
            return ("ForAnyValue is false when the key is absent: no document, no Deny.",)
        return (
            "You stop only those who bring a document: the laptop still gets the key.",
            "Two operators are joined by and.",
        )
    if (
        "ours" in let_in
        and _joined(deny)
        and let_in - {"ours"} <= {"same-kernel", "same-application"}
    ):
        return (
            "An image that shares one of these PCRs with yours gets in.",
            "Keys under one operator are joined by and: your Deny applies only when all differ.",
        )
    kinds = {
        _EVERY - {"ours"}: (f"{_UPSIDE_DOWN}: you deny your own image, and only it.",),
        frozenset({"ours", "same-kernel"}): (_KERNEL, _WHOLE),
        frozenset({"ours", "same-application"}): (_APPLICATION, _WHOLE),
        frozenset({"ours", "debug"}): (_ZEROS, "Take the zeros out of the list."),
        frozenset[str](): (
            "Your own enclave is denied too: the value never equals what a document says.",
            "Compare it with pcrs: letters, length, and the name of the key.",
        ),
    }
    return kinds.get(let_in, _other(doors))


def _stays_out(
    statement: Mapping[str, Any], pcrs: Mapping[str, str], callers: Mapping[str, str]
) -> Said:
    keys = [key for key, _ in _conditions(statement)]
    if strange := [key for key in keys if not key.startswith("kms:recipientattestation:")]:
        name = strange[0].upper()
        return (
            f"Your own image stays out: no request carries a key named {name}.",
            "The PCRs' keys all begin with kms:RecipientAttestation:.",
        )
    asked = ask_policy(statement, callers["ParentInstance"], document_of_world(pcrs, "ours"))
    if asked.cause.code == "upper_case":
        return ("Your own image stays out: the document says lower case, you wrote capitals.",)
    return (
        "Your own image stays out: no document shows a value like that.",
        "A PCR is 96 lower-case hex digits, as in pcrs.",
    )


def _still_open(doors: Doors, found: list[str]) -> Said:
    if "without a document" in found:
        return ("Now a request without a document gets in.",)
    kinds = doors.let_in()
    if "same-kernel" in kinds and "same-application" not in kinds:
        return ("Closed for debug and no document; still open to an image with your kernel.",)
    if "same-application" in kinds and "same-kernel" not in kinds:
        return ("Closed for debug and no document; still open to your application elsewhere.",)
    return (f"Still open: {', '.join(found)}.",)


def _other(doors: Doors) -> Said:
    inside = doors.let_in()
    strangers = [DOCUMENTS[name] for name in DOCUMENTS if name in inside - {"ours"}]
    said = f"These get in: {', '.join(strangers)}." if strangers else "Nobody strange gets in."
    return (said,) if "ours" in inside else (said, "Your own image stays out.")


def _witness(doors: Doors) -> str:
    return next(filter(None, (doors.witness(question) for question in QUESTIONS)), "")


# -- reading, to word a message --------------------------------------------------------------------


def _statements(policy: Any) -> list[Mapping[str, Any]]:
    statements = policy_from(policy)["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _allows(policy: Any) -> list[Mapping[str, Any]]:
    return [one for one in _statements(policy) if one.get("Effect") == "Allow"]


def _joined(statement: Mapping[str, Any]) -> bool:
    """Tell whether one operator of a statement holds several keys."""
    return any(len(keys) > 1 for keys in (statement.get("Condition") or {}).values())


def _operators(statement: Mapping[str, Any]) -> list[str]:
    return list(statement.get("Condition") or {})


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield every condition key of a statement, in lower case, with its values."""
    for keys in (statement.get("Condition") or {}).values():
        for key, values in keys.items():
            yield key.lower(), [values] if isinstance(values, str) else list(values)


def _idle_values(conditions: Mapping[str, list[str]], pcrs: Mapping[str, str]) -> bool:
    """Tell whether a list under PCR0, PCR1 or PCR2 holds another PCR of the same image."""
    for key, values in conditions.items():
        number = re.search(r"pcr([012])$", key)
        others = {value for name, value in pcrs.items() if number and name != f"PCR{number[1]}"}
        if others & {value.lower() for value in values}:
            return True
    return False
