"""Writing policies: what is written decides as meant, and what others wrote stays."""

from __future__ import annotations

import copy

import pytest
from policy_help import ACCOUNT, KEY, OTHER, allow, to

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import (
    Policies,
    Principal,
    Request,
    RequestContext,
    analyse,
    author,
    evaluate,
    parse_policy,
)

OWNER = f"arn:aws:iam::{ACCOUNT}:role/Owner"
INSTANCE = f"arn:aws:iam::{ACCOUNT}:role/Instance"
OLD = {f"PCR{i}": f"{i}a" * 48 for i in (0, 1, 2)}
NEW = {f"PCR{i}": f"{i}b" * 48 for i in (0, 1, 2)}
FOREIGN = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"Service": "logs.amazonaws.com"},
           "Action": "kms:Encrypt", "Resource": "*", "Condition": {"Null": {"a:b": "true"}}}  # fmt: skip


def decides(policy, pcrs, principal=INSTANCE, action="kms:Decrypt"):
    name, account = principal.rpartition("/")[2], principal.split(":")[4]
    context = {f"kms:RecipientAttestation:{key}": value for key, value in pcrs.items()}
    caller = Principal.parse(f"arn:aws:sts::{account}:assumed-role/{name}/s")
    request = Request(caller, action, KEY, context=RequestContext.what_if(context))
    return evaluate(request, Policies(parse_policy(policy))).effect


def test_old_and_new_image_during_an_upgrade():
    policy = author.attestation_policy(author.initial_key_policy(OWNER), INSTANCE, [OLD, NEW])
    assert decides(policy, OLD) == "allowed"
    assert decides(policy, NEW) == "allowed"
    assert decides(policy, {**OLD, "PCR0": NEW["PCR0"]}) == "implicitDeny"  # never mixed
    assert decides(policy, {**OLD, "PCR0": "cc" * 48}) == "explicitDeny"
    assert decides(policy, {}) == "explicitDeny"
    after = author.attestation_policy(policy, INSTANCE, [NEW])
    assert decides(after, OLD) == "explicitDeny"
    assert decides(after, NEW) == "allowed"
    assert [s["Sid"] for s in after["Statement"]].count("NoDecryptOutside") == 1


def test_without_the_deny():
    policy = author.attestation_policy(
        author.initial_key_policy(OWNER), INSTANCE, [OLD], harden=False
    )
    assert decides(policy, {}) == "implicitDeny"
    assert "NoDecryptOutside" not in [s["Sid"] for s in policy["Statement"]]


def test_what_others_wrote_stays_as_it_is():
    base = {
        "Version": "2012-10-17",
        "Id": "x",
        "Statement": [FOREIGN, to(OWNER, allow("kms:Put*"))],
    }
    before = copy.deepcopy(base)
    policy = author.attestation_policy(author.allow_data_keys(base, OWNER), INSTANCE, [OLD])
    assert base == before  # nothing is changed in place
    assert policy["Statement"][:2] == before["Statement"]
    assert (policy["Id"], policy["Version"]) == ("x", "2012-10-17")
    single = author.attestation_policy({**base, "Statement": FOREIGN}, INSTANCE, [OLD])
    assert single["Statement"][0] == FOREIGN


def test_a_sid_like_ours_with_another_ending_is_not_ours():
    theirs = {**FOREIGN, "Sid": "DecryptInsideTheEnclaveToo"}
    policy = author.attestation_policy({"Statement": [theirs]}, INSTANCE, [OLD])
    assert policy["Statement"][0] == theirs


@pytest.mark.parametrize(
    ("measured", "found"),
    [
        ([], "no measurements"),
        ([{"PCR1": "ab" * 48}], "no PCR0"),
        ([{"PCR0": "ab"}], "PCR0 of 2 characters"),
        ([{"PCR0": "xy" * 48}], "PCR0 of 96 characters"),
        ([{"PCR0": "0" * 96}], "PCR0 of zeros"),
        ([OLD, {**NEW, "PCR2": "0" * 96}], "PCR2 of zeros"),
    ],
)
def test_measurements_that_fence_nothing_are_refused(measured, found):
    with pytest.raises(PolicyError) as caught:
        author.attestation_policy(author.initial_key_policy(OWNER), INSTANCE, measured)
    assert caught.value.found == found


def test_upper_case_is_written_in_lower_case():
    measured = {name.lower(): value.upper() for name, value in OLD.items()}
    policy = author.attestation_policy(author.initial_key_policy(OWNER), INSTANCE, [measured])
    assert decides(policy, OLD) == "allowed"


def test_the_three_parties():
    policy = author.allow_data_keys(author.initial_key_policy(OWNER), OWNER)
    policy = author.attestation_policy(policy, INSTANCE, [OLD])
    for action in ("kms:PutKeyPolicy", "kms:GenerateDataKey", "kms:ScheduleKeyDeletion"):
        assert decides(policy, {}, OWNER, action) == "allowed"
        assert decides(policy, {}, INSTANCE, action) == "implicitDeny"
        assert decides(policy, {}, f"arn:aws:iam::{OTHER}:role/Admin", action) == "implicitDeny"
    for action in ("kms:Decrypt", "kms:CreateGrant", "kms:ReEncryptFrom"):
        assert decides(policy, {}, OWNER, action) == "explicitDeny"
    assert decides(policy, OLD, OWNER) == "implicitDeny"
    found = [(f.code, f.severity) for f in analyse(parse_policy(policy)).findings]
    assert found == [("deployment_not_pinned", "low")]  # OLD and NEW have no PCR3 or PCR4


def test_data_keys_with_an_encryption_context():
    policy = author.allow_data_keys(
        author.initial_key_policy(OWNER), OWNER, encryption_context=["dataset"]
    )
    assert decides(policy, {}, OWNER, "kms:GenerateDataKey") == "implicitDeny"


def test_the_difference_is_by_statement_and_as_text():
    old = author.initial_key_policy(OWNER)
    new = author.allow_data_keys(old, OWNER)
    change = author.diff(old, new)
    assert [entry["Sid"] for entry in change.added] == ["OwnerMakesDataKeys"]
    assert (change.removed, change.changed) == ((), ())
    assert '+      "Sid": "OwnerMakesDataKeys",' in change.unified
    assert change.to_json()["added"][0]["Sid"] == "OwnerMakesDataKeys"
    back = author.diff(new, old)
    assert [entry["Sid"] for entry in back.removed] == ["OwnerMakesDataKeys"]
    wider = copy.deepcopy(new)
    wider["Statement"][-1]["Action"] = "kms:*"
    (pair,) = author.diff(new, wider).changed
    assert pair[1]["Action"] == "kms:*"
    assert not author.diff(new, new)
    assert author.diff({"Statement": FOREIGN}, {"Statement": [FOREIGN]}).added == ()
