"""Lesson 00: what learners say of the parties, judged by the parties' own policies."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.cloud import Accounts, Names
from nitro_workflow.errors import UsageError
from nitro_workflow.lab import PARTIES
from nitro_workflow.lab.party_policies import PartyPolicies
from nitro_workflow.lessons.checking import CheckDesk
from nitro_workflow.lessons.checks.lesson_00 import Checks
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.refusals import refusal_shown

ROLES = dict(
    zip(
        PARTIES,
        ("DataOwner", "ApplicationDeveloper", "ParentAdministrator", "ParentInstance"),
        strict=True,
    )
)
ACCOUNTS = Accounts("111122223333", "444455556666")
OPERATOR = "arn:aws:iam::111122223333:user/operator"


@pytest.fixture
def desk(tmp_path):
    names = Names("data", "images", "alias/a", "alias/b", "profile", "ami", ROLES)
    cloud = SimpleNamespace(
        accounts=ACCOUNTS, operator_arn=lambda account: f"arn:aws:iam::{account}:user/operator"
    )
    policies = PartyPolicies(ACCOUNTS, names, "us-east-1")
    lab = SimpleNamespace(bench=SimpleNamespace(policies=policies, cloud=cloud))
    return CheckDesk(Checks(lab), KeptAnswers(tmp_path, "00"))


def trust(principal, **more):
    rule = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return {"Version": "2012-10-17", "Statement": [rule]}


def refused(user, action="kms:Decrypt", code="AccessDeniedException"):
    message = f"User: {user} is not authorized to perform: {action} on resource: key"
    with refusal_shown() as caught:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Decrypt")
    return caught


def test_the_roles_own_policies_answer(desk):
    asked = {"DataOwner kms:CreateKey": "yes", "DataOwner kms:Decrypt": "no",
             "ParentInstance kms:Decrypt": " Yes ", "ApplicationDeveloper kms:Decrypt": "no"}  # fmt: skip
    assert desk.may(asked).outcome == "right"
    said = desk.may({**asked, "ParentAdministrator kms:Decrypt": "yes"})
    assert "ParentAdministrator kms:Decrypt: you say yes; asked, it is denied" in said.text
    assert desk.may({"DataOwner": "yes"}).outcome == "wrong"


def test_a_refusal_of_the_administrators_decrypt_is_the_proof(desk):
    administrator = "arn:aws:sts::444455556666:assumed-role/ParentAdministrator/s"
    assert desk.administrator_refused(refused(administrator)).outcome == "right"


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (
            refused("arn:aws:sts::111122223333:assumed-role/DataOwner/s"),
            "Take lesson.administrator",
        ),
        (refused("arn:aws:sts::1:assumed-role/NotParentAdministrator/s"), "Take lesson"),
        (refused("arn:aws:sts::4:assumed-role/ParentAdministrator/s", "kms:Sign"), "kms:Sign"),
        ("text", "run its cell again"),
    ],
)
def test_another_refusal_is_none(desk, attempt, words):
    said = desk.administrator_refused(attempt)
    assert said.outcome == "wrong"
    assert words in said.text


def test_no_refusal_is_no_answer(desk):
    with refusal_shown() as caught:
        pass
    assert desk.administrator_refused(caught).outcome == "unanswered"
    with pytest.raises(KeyError), refusal_shown():
        raise KeyError("another error passes")


@pytest.mark.parametrize(
    ("principal", "words"),
    [
        ("*", "a stranger"),
        ({"AWS": "111122223333"}, "Every user of that account"),
        ({"AWS": [OPERATOR, "arn:aws:iam::444455556666:role/ParentAdministrator"]}, "can, too"),
        ({"AWS": OPERATOR.replace("1111", "4444", 1)}, "cannot become the owner"),
        ({"Service": "ec2.amazonaws.com"}, "cannot become the owner"),
        ({"AWS": []}, ""),
    ],
)
def test_a_trust_policy_that_trusts_the_wrong_ones(desk, principal, words):
    said = desk.trust(trust(principal))
    assert said.outcome == "wrong", said.text
    assert words in said.text


def test_a_trust_policy_for_the_operator_alone(desk):
    assert desk.trust(trust({"AWS": OPERATOR})).outcome == "right"
    assert desk.trust(trust({"AWS": OPERATOR}, Effect="Deny")).outcome == "wrong"


def test_predictions_are_marked_with_what_the_engine_says(desk, tmp_path):
    KeptAnswers(tmp_path, "00").predict("stop-it", "nothing: IAM keeps them from it")
    said = desk.mark("stop-it")
    assert said.outcome == "wrong"
    assert "ec2:TerminateInstances by ParentAdministrator: allowed" in said.text
    with pytest.raises(UsageError):
        desk.mark("another")
