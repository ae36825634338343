"""A policy is asked with every document and by every caller, and a notebook sees the reasons."""

from __future__ import annotations

import pytest

from nitro_workflow.lessons import worlds
from nitro_workflow.policy import Grant
from tests.lessons.practice_lab import practice_lab

PCRS = {"PCR0": "a" * 96, "PCR1": "b" * 96, "PCR2": "c" * 96}
INSTANCE = "arn:aws:iam::444455556666:role/ParentInstance"


def allow(condition):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": INSTANCE},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": condition,
    }


def let_in(policy, **more):
    return {
        name
        for name in worlds.DOCUMENTS
        if worlds.ask_policy(
            policy, INSTANCE, worlds.document_of_world(PCRS, name), **more
        ).decision.effect
        == "allowed"
    }


@pytest.mark.parametrize(
    ("condition", "who"),
    [
        ({"StringEquals": {"kms:RecipientAttestation:PCR0": "a" * 96}}, {"ours"}),
        ({"StringEquals": {"kms:RecipientAttestation:ImageSha384": "a" * 96}}, {"ours"}),
        ({"StringEquals": {"kms:RecipientAttestation:PCR1": "b" * 96}}, {"ours", "same-kernel"}),
        (
            {"StringEquals": {"kms:RecipientAttestation:PCR2": "c" * 96}},
            {"ours", "same-application"},
        ),
        ({"StringEquals": {"kms:RecipientAttestation:PCR0": "0" * 96}}, {"debug"}),
        ({"Null": {"kms:RecipientAttestation:PCR0": "true"}}, {"none"}),
        ({}, set(worlds.DOCUMENTS)),
    ],
)
def test_six_documents_tell_policies_apart(condition, who):
    assert let_in(allow(condition)) == who
    assert let_in([allow(condition)]) == who
    assert let_in({"Version": "2012-10-17", "Statement": [allow(condition)]}) == who


def test_a_grant_counts():
    never = allow({"StringEquals": {"kms:RecipientAttestation:PCR0": "d" * 96}})
    assert let_in(never) == set()
    assert let_in(never, grants=[Grant(INSTANCE, ("Decrypt",))]) == set(worlds.DOCUMENTS)


def test_six_callers_in_three_accounts():
    callers = worlds.callers_of(practice_lab().bench)
    assert list(callers)[:3] == ["ParentInstance", "DataOwner", "ParentAdministrator"]
    assert len({arn.split(":")[4] for arn in callers.values()}) == 3
