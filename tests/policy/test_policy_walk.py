"""The policy of the walk: what each party may and may not do, and the reason that is given."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from nitro_workflow.policy import (
    Policies,
    Principal,
    Request,
    RequestContext,
    author,
    evaluate,
    explain,
    parse_policy,
)

OWNER = "arn:aws:iam::111122223333:role/DataOwner"
INSTANCE = "arn:aws:iam::444455556666:role/ParentInstance"
ADMINISTRATOR = "arn:aws:iam::444455556666:role/ParentAdministrator"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PCRS = {f"PCR{index}": f"{index}a" * 48 for index in (0, 1, 2, 3)}
CONTEXT = {"dataset": "customers", "version": "1"}

_initial = author.allow_data_keys(author.initial_key_policy(OWNER), OWNER)
KEY_POLICY = parse_policy(
    author.attestation_policy(_initial, INSTANCE, [PCRS], encryption_context=CONTEXT),
    name="key policy",
)
EVERYTHING = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
    },
    kind="identity",
    name="everything",
)


def ask(
    role: str,
    action: str = "kms:Decrypt",
    pcrs: Mapping[str, str] | None = None,
    context: Mapping[str, str] = CONTEXT,
):
    account, name = role.split(":")[4], role.rpartition("/")[2]
    values = {f"kms:EncryptionContext:{key}": value for key, value in context.items()}
    values |= {f"kms:RecipientAttestation:{name}": value for name, value in (pcrs or {}).items()}
    caller = Principal.parse(f"arn:aws:sts::{account}:assumed-role/{name}/session")
    request = Request(caller, action, KEY, context=RequestContext.what_if(values))
    return explain(request, Policies(KEY_POLICY, [EVERYTHING]))


def test_the_instance_decrypts_inside_the_enclave():
    assert ask(INSTANCE, pcrs=PCRS).decision.effect == "allowed"


@pytest.mark.parametrize(
    ("pcrs", "context", "effect", "cause"),
    [
        ({}, CONTEXT, "explicitDeny", "no_document"),
        ({**PCRS, "PCR0": "0b" * 48}, CONTEXT, "explicitDeny", "rebuilt_image"),
        (dict.fromkeys(PCRS, "0" * 96), CONTEXT, "explicitDeny", "debug_mode"),
        ({**PCRS, "PCR3": "0b" * 48}, CONTEXT, "implicitDeny", "other_role"),
        (PCRS, {"dataset": "others", "version": "1"}, "implicitDeny", "encryption_context"),
        (PCRS, {"dataset": "customers"}, "implicitDeny", "encryption_context"),
    ],
)
def test_the_instance_is_refused_otherwise(pcrs, context, effect, cause):
    explanation = ask(INSTANCE, pcrs=pcrs, context=context)
    assert (explanation.decision.effect, explanation.cause.code) == (effect, cause)


@pytest.mark.parametrize(
    "action",
    [
        "kms:PutKeyPolicy", "kms:GenerateDataKey", "kms:Encrypt", "kms:ScheduleKeyDeletion",
        "kms:CreateGrant", "kms:ReEncryptFrom", "kms:TagResource", "kms:Decrypt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("pcrs", [{}, PCRS], ids=["without document", "genuine document"])
def test_the_administrator_may_nothing(action, pcrs):
    assert not ask(ADMINISTRATOR, action, pcrs).decision.allowed


@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:CreateGrant", "kms:ReEncryptFrom"])
def test_the_owner_has_no_way_to_the_plaintext(action):
    assert ask(OWNER, action).decision.effect == "explicitDeny"


@pytest.mark.parametrize("action", ["kms:GenerateDataKey", "kms:PutKeyPolicy"])
def test_the_owner_administers(action):
    assert ask(OWNER, action).decision.effect == "allowed"


def test_data_keys_are_refused_before_the_owner_edits_the_policy():
    caller = Principal.parse("arn:aws:sts::111122223333:assumed-role/DataOwner/s")
    request = Request(caller, "kms:GenerateDataKey", KEY)
    before = parse_policy(author.initial_key_policy(OWNER))
    assert evaluate(request, Policies(before, [EVERYTHING])).effect == "implicitDeny"


def test_the_change_of_step_p7_is_two_statements():
    change = author.diff(_initial, KEY_POLICY.to_json())
    assert [entry["Sid"] for entry in change.added] == [
        "DecryptInsideTheEnclave",
        "NoDecryptOutside",
    ]
    assert not change.removed
    assert not change.changed
    assert "+++ new policy" in change.unified
