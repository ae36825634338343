"""What the fix of a finding changes in a policy document: small edits, each by a name.

An edit takes the document and the registers of the image that is meant (``{"PCR0": hex}``), and
returns a new document; statements that it does not name stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nitro_workflow.policy.language import Condition, Statement, parse_key
from nitro_workflow.policy.reach.policy_finding import Repair

__all__ = [
    "allow_change",
    "deny_action",
    "drop_condition",
    "drop_key",
    "drop_statement",
    "drop_values",
    "every_resource",
    "fence",
    "lower_values",
    "pin_image",
    "split_deny",
    "without_action",
]

_PREFIX = "kms:RecipientAttestation:"
_IGNORING = "StringEqualsIgnoreCase"
Change = Callable[[dict[str, Any], Mapping[str, str]], None]


def _edit(statement: Statement, change: Change) -> Repair:
    def repair(document: Mapping[str, Any], image: Mapping[str, str]) -> dict[str, Any]:
        result = _listed(document)
        change(result["Statement"][statement.index], image)
        return result

    return repair


def _listed(document: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(document))
    if not isinstance(result["Statement"], list):
        result["Statement"] = [result["Statement"]]
    return result


def _key(name: str) -> str:
    """Return the condition key of ``PCR0`` or ``NitroTPMPCR4``."""
    return f"{_PREFIX}{name}"


def pin_image(statement: Statement) -> Repair:
    """Compare the image's registers in the statement, whatever it compared them with before."""

    def change(entry: dict[str, Any], image: Mapping[str, str]) -> None:
        names = {_key(name).lower() for name in image}
        names |= {f"{_PREFIX}imagesha384".lower()} if "PCR0" in image else set()
        block = {
            operator: {k: v for k, v in keys.items() if k.lower() not in names}
            for operator, keys in entry.get("Condition", {}).items()
        }
        block = {operator: keys for operator, keys in block.items() if keys}
        pins = {_key(name): value for name, value in image.items()}
        block[_IGNORING] = {**block.get(_IGNORING, {}), **pins}
        entry["Condition"] = block

    return _edit(statement, change)


def fence(actions: Iterable[str]) -> Repair:
    """Deny Decrypt to everybody without the image's document, and what cannot carry one."""
    plain = list(actions)

    def repair(document: Mapping[str, Any], image: Mapping[str, str]) -> dict[str, Any]:
        result = _listed(document)
        kept: dict[str, list[str]] = {}
        for name in ("PCR0", "NitroTPMPCR4", "NitroTPMPCR7"):
            values = {*_values_of(result, _key(name)), *filter(None, [image.get(name)])}
            kept |= {_key(name): sorted(values)} if values else {}
        deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Resource": "*"}
        result["Statement"] += [
            {**deny, "Action": ["kms:Decrypt", "kms:DeriveSharedSecret"],
             "Condition": {"StringNotEqualsIgnoreCase": kept}},
            {**deny, "Action": plain},
        ]  # fmt: skip
        return result

    return repair


def _values_of(document: Mapping[str, Any], key: str) -> set[str]:
    """Return the measurements that the Allows already name under a key."""
    names = {key.lower(), f"{_PREFIX}imagesha384".lower() if key.endswith(":PCR0") else ""}
    found: set[str] = set()
    for entry in document["Statement"]:
        if entry.get("Effect") != "Allow":
            continue
        for operator, keys in entry.get("Condition", {}).items():
            if not operator.lower().startswith("stringequals") or "exists" in operator.lower():
                continue
            for name, value in keys.items():
                listed = value if isinstance(value, list) else [value]
                found |= {v for v in listed if name.lower() in names and v.strip("0")}
    return found


def every_resource(statement: Statement) -> Repair:
    """Write ``*`` for the Resource: in a key policy that is the key."""

    def change(entry: dict[str, Any], _image: Mapping[str, str]) -> None:
        entry.pop("NotResource", None)
        entry["Resource"] = "*"

    return _edit(statement, change)


def drop_statement(statement: Statement) -> Repair:
    """Take the statement out."""

    def repair(document: Mapping[str, Any], _image: Mapping[str, str]) -> dict[str, Any]:
        result = _listed(document)
        del result["Statement"][statement.index]
        return result

    return repair


def deny_action(*actions: str) -> Repair:
    """Deny operations to everybody."""

    def repair(document: Mapping[str, Any], _image: Mapping[str, str]) -> dict[str, Any]:
        result = _listed(document)
        result["Statement"].append(
            {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": list(actions), "Resource": "*"}
        )
        return result

    return repair


def without_action(statement: Statement, action: str) -> Repair:
    """Give an operation a statement of its own, without the attestation keys."""

    def repair(document: Mapping[str, Any], _image: Mapping[str, str]) -> dict[str, Any]:
        result = _listed(document)
        entry = result["Statement"][statement.index]
        listed = entry["Action"] if isinstance(entry["Action"], list) else [entry["Action"]]
        kept = [text for text in listed if text.lower() != action.lower()]
        alone = {k: v for k, v in entry.items() if k not in ("Condition", "Sid")}
        result["Statement"].append({**alone, "Action": action})
        if kept:
            entry["Action"] = kept
        else:
            del result["Statement"][statement.index]
        return result

    return repair


def _each_value(statement: Statement, condition: Condition, change: Callable[[str], str]) -> Repair:
    def edit(entry: dict[str, Any], _image: Mapping[str, str]) -> None:
        keys = entry["Condition"][_operator(entry, condition)]
        listed = keys[condition.key]
        values = listed if isinstance(listed, list) else [listed]
        keys[condition.key] = [new for value in values if (new := change(value))]

    return _edit(statement, edit)


def _operator(entry: Mapping[str, Any], condition: Condition) -> str:
    """Return the operator as it is spelt in the document."""
    wanted = str(condition.operator).lower()
    return next(str(name) for name in entry["Condition"] if name.lower() == wanted)


def drop_values(statement: Statement, condition: Condition, *values: str) -> Repair:
    """Take values out of a condition."""
    return _each_value(statement, condition, lambda value: "" if value in values else value)


def lower_values(statement: Statement, condition: Condition) -> Repair:
    """Write the values of a condition in lower case."""
    return _each_value(statement, condition, str.lower)


def drop_condition(statement: Statement, condition: Condition) -> Repair:
    """Take one condition out of a statement."""

    def change(entry: dict[str, Any], _image: Mapping[str, str]) -> None:
        operator = _operator(entry, condition)
        del entry["Condition"][operator][condition.key]
        if not entry["Condition"][operator]:
            del entry["Condition"][operator]

    return _edit(statement, change)


def drop_key(statement: Statement, *, nitrotpm: bool) -> Repair:
    """Take the keys of one kind of document out of a statement."""

    def change(entry: dict[str, Any], _image: Mapping[str, str]) -> None:
        for operator, keys in list(entry["Condition"].items()):
            for name in list(keys):
                register = parse_key(name)
                if register is not None and register.nitrotpm is nitrotpm:
                    del keys[name]
            if not keys:
                del entry["Condition"][operator]

    return _edit(statement, change)


def split_deny(statement: Statement) -> Repair:
    """Give every condition of a Deny a statement of its own: then each alone denies."""

    def repair(document: Mapping[str, Any], _image: Mapping[str, str]) -> dict[str, Any]:
        result = _listed(document)
        entry = result["Statement"].pop(statement.index)
        rest = {k: v for k, v in entry.items() if k not in ("Condition", "Sid")}
        result["Statement"] += [
            {**rest, "Condition": {operator: {key: values}}}
            for operator, keys in entry["Condition"].items()
            for key, values in keys.items()
        ]
        return result

    return repair


def allow_change(owner: str, denying: Statement | None) -> Repair:
    """Let one role change the policy, and take out the Deny that would forbid it."""

    def repair(document: Mapping[str, Any], image: Mapping[str, str]) -> dict[str, Any]:
        result = drop_statement(denying)(document, image) if denying else _listed(document)
        result["Statement"].append({
            "Effect": "Allow", "Principal": {"AWS": owner}, "Resource": "*",
            "Action": ["kms:PutKeyPolicy", "kms:GetKeyPolicy"],
        })  # fmt: skip
        return result

    return repair
