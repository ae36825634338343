"""Lesson 01 as its learners run it."""

from __future__ import annotations

_RIGHT = {
    "DataOwner PutKeyPolicy": "yes",
    "DataOwner Decrypt": "no",
    "DataOwner GenerateDataKey": "yes",
    "ParentInstance Decrypt": "yes",
    "ParentAdministrator Decrypt": "no",
    "Backup GenerateDataKey": "yes",
    "Backup CreateGrant": "no",
}
_KEEPS = '["kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]'
_OWNER = '{"AWS": lesson.arn("owner")}'


def sorted_out(**changes: str) -> str:
    said = {name.replace("_", " "): answer for name, answer in changes.items()}
    return f"who = { ({**_RIGHT, **said})!r}"


def keeper(actions: str = _KEEPS, principal: str = _OWNER, effect: str = "Allow") -> str:
    return f"""
administers = {{
    "Sid": "OwnerAdministers", "Effect": "{effect}", "Principal": {principal},
    "Action": {actions}, "Resource": "*",
}}
"""


def narrowed(change: str) -> str:
    return f"""
narrow = {{**wide, "Statement": list(wide["Statement"])}}
{change}
"""


def reading(actions: str) -> str:
    return narrowed(f'narrow["Statement"][1] = account_root | {{"Action": {actions}}}')


SOLUTIONS = {
    "sort-who": sorted_out(),
    "write-administers": keeper(),
    "repair-root": reading('["kms:GetKeyPolicy", "kms:DescribeKey"]'),
}

WRONG = {"owner-and-data-key": 1, "root-statement": 1, "lock-out": 1}


def _sorts() -> list[tuple[str, str, str, str]]:
    table = {
        sorted_out(DataOwner_Decrypt="yes"): "you say yes; asked, it is denied",
        sorted_out(Backup_GenerateDataKey="no"): "statement 3 “Makes” allows it",
        sorted_out(Backup_CreateGrant="yes"): "statement 4 “NoGrants” denies it",
        sorted_out(ParentAdministrator_Decrypt="yes", Backup_CreateGrant="yes"): "Still to look at",
        sorted_out(DataOwner_Decrypt="perhaps"): 'answer "yes" or "no"',
        'who = {"Nobody Decrypt": "yes"}': "not of the form that was asked for",
        'who = "yes"': "not of the form that was asked for",
    }
    return [("sort-who", made, "check-who", words) for made, words in table.items()]


def _keepers() -> list[tuple[str, str, str, str]]:
    account = '{"AWS": f"arn:aws:iam::{account}:root"}'
    table = {
        keeper('"kms:*"'): "may decrypt, without any enclave",
        keeper(principal=account): "The whole account is let in",
        keeper(principal='"*"'): "Not the owner alone",
        keeper(principal='{"AWS": lesson.arn("administrator")}'): "ParentAdministrator, too",
        keeper(effect="Deny"): "lets nobody do anything",
        keeper('["kms:GetKeyPolicy", "kms:ScheduleKeyDeletion"]'): "could never change this policy",
        keeper('["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]'): "cannot read this policy",
        keeper('["kms:PutKeyPolicy", "kms:GetKeyPolicy"]'): "can never delete the key",
        keeper(f'[*{_KEEPS}, "kms:GenerateDataKey"]'): "using the key, not administering it",
        keeper(f'[*{_KEEPS}, "kms:CreateGrant"]'): "may hand the key on",
        keeper(f'[*{_KEEPS}, "kms:ReEncrypt*"]'): "may re-encrypt to another key",
        keeper(f'[*{_KEEPS}, "kms:ReplicateKey"]'): "a copy of the key",
        keeper(principal='lesson.arn("owner")'): "cannot be looked at",
        keeper(actions="..."): "Still to fill in: Action.",
        "administers = None": "cannot be looked at",
    }
    return [
        ("write-administers", made, "check-administers", words) for made, words in table.items()
    ]


def _repairs() -> list[tuple[str, str, str, str]]:
    table = {
        narrowed("pass"): "may decrypt, without any enclave",
        narrowed('del narrow["Statement"][1]'): "lost kms:GetKeyPolicy",
        reading('["kms:Get*"]'): "lost kms:DescribeKey",
        reading('["kms:Get*", "kms:Describe*", "kms:Put*"]'): "may change the policy",
        reading('["kms:Get*", "kms:Describe*", "kms:Schedule*"]'): "may delete it",
        reading('["kms:Get*", "kms:Describe*", "kms:Gen*"]'): "may make data keys",
        reading('["kms:Get*", "kms:Describe*", "kms:Create*"]'): "may hand the key on",
        narrowed('narrow["Statement"][0] = narrow["Statement"][1] = account_root | '
                 '{"Action": ["kms:GetKeyPolicy", "kms:DescribeKey"]}'): "could never change",
        narrowed('narrow["Statement"][1] = None'): "cannot be looked at",
    }  # fmt: skip
    return [("repair-root", made, "check-narrowed", words) for made, words in table.items()]


MISTAKES = [*_sorts(), *_keepers(), *_repairs()]
