"""Lesson 00 as its learners run it."""

from __future__ import annotations

_RIGHT = {
    "DataOwner kms:CreateKey": "yes",
    "DataOwner ec2:RunInstances": "no",
    "ApplicationDeveloper kms:Decrypt": "no",
    "ParentAdministrator ec2:RunInstances": "yes",
    "ParentAdministrator iam:PutRolePolicy": "no",
    "ParentAdministrator kms:Decrypt": "no",
    "ParentInstance kms:Decrypt": "yes",
}


def sorted_out(**changes: str) -> str:
    said = {name.replace("_", " ").replace("-", ":"): one for name, one in changes.items()}
    return f"may = { ({**_RIGHT, **said})!r}"


def attack(call: str) -> str:
    return f"with lesson.refusal() as attempt:\n    {call}"


def trusted(principal: str) -> str:
    return f"""
rule = {{"Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole"}}
trust = {{"Version": "2012-10-17", "Statement": [rule]}}
"""


_DECRYPT = "decrypt(KeyId=key, CiphertextBlob=sealed)"

SOLUTIONS = {
    "sort-may": sorted_out(),
    "write-attack": attack(f'administrator.client("kms").{_DECRYPT}'),
    "repair-trust": trusted('{"AWS": "arn:aws:iam::111122223333:user/operator"}'),
}

WRONG = {"root-and-owner": 1, "stop-it": 3}

MISTAKES = [
    (
        "sort-may",
        sorted_out(**{"ParentAdministrator kms-Decrypt": "yes"}),
        "check-may",
        "you say yes; asked, it is denied",
    ),
    (
        "sort-may",
        sorted_out(**{"ParentInstance kms-Decrypt": "no", "DataOwner kms-CreateKey": "no"}),
        "check-may",
        "Still to look at: ParentInstance kms:Decrypt",
    ),
    ("sort-may", sorted_out(**{"DataOwner kms-CreateKey": "maybe"}), "check-may", '"yes" or "no"'),
    ("sort-may", 'may = {"root kms:Decrypt": "yes"}', "check-may", "not of the form"),
    ("write-attack", attack("pass"), "check-attack", "No call was refused"),
    ("write-attack", attack(f"kms.{_DECRYPT}"), "check-attack", "Take lesson.administrator"),
    (
        "write-attack",
        attack(f'developer.client("kms").{_DECRYPT}'),
        "check-attack",
        "ApplicationDeveloper/nitro-workflow asked",
    ),
    (
        "write-attack",
        attack('administrator.client("kms").get_key_policy(KeyId=key)'),
        "check-attack",
        "asked for kms:GetKeyPolicy, not for kms:Decrypt",
    ),
    (
        "write-attack",
        attack('administrator.client("kms").decrypt(KeyId=key)'),
        "check-attack",
        "failed before anybody decided: ValidationException",
    ),
    ("write-attack", "attempt = 7", "check-attack", "run its cell again"),
    ("repair-trust", trusted('"*"'), "check-trust", "These can, too"),
    (
        "repair-trust",
        trusted('{"AWS": "111122223333"}'),
        "check-trust",
        "Every user of that account",
    ),
    (
        "repair-trust",
        trusted('{"AWS": lesson.arn("administrator")}'),
        "check-trust",
        "ParentAdministrator can",
    ),
    ("repair-trust", trusted('lesson.arn("owner")'), "check-trust", "cannot be looked at"),
    ("repair-trust", trusted("..."), "check-trust", "Still to fill in"),
]
