"""Lesson 01: what learners write about a key's keepers, judged by what it lets six callers do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nitro_workflow.lessons import lesson_keys
from nitro_workflow.lessons.checking import CheckDesk
from nitro_workflow.lessons.checks.lesson_01 import Checks
from nitro_workflow.lessons.course_acts import CourseActs
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.key_rights import RIGHTS, find_rights
from nitro_workflow.lessons.worlds import callers_of
from tests.lessons.practice_lab import ARNS, practice_lab

KEEPS = ["kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]
ROOT = "arn:aws:iam::111122223333:root"


@pytest.fixture
def desk(tmp_path):
    return CheckDesk(Checks(practice_lab()), KeptAnswers(tmp_path, "01"))


def statement(actions=KEEPS, principal=ARNS["owner"], **more):
    return {"Sid": "S", "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions,
            "Resource": "*", **more}  # fmt: skip


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    "made",
    [statement(), statement([*KEEPS, "kms:TagResource"]), statement(principal=[ARNS["owner"]]),
     statement(["kms:GetKeyPolicy", "kms:Put*", "kms:Schedule*"])],
)  # fmt: skip
def test_a_statement_that_keeps_the_key_and_opens_nothing_is_right(desk, made):
    assert desk.administers(made).outcome == "right"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (statement("kms:*"), "may decrypt"),
        (statement("*"), "may decrypt"),
        (statement([*KEEPS, "kms:Dec*"]), "may decrypt"),
        (statement(principal=ROOT), "Name the owner's role"),
        (statement(principal="111122223333"), "Name the owner's role"),
        (statement(principal=[ARNS["owner"], ARNS["instance"]]), "ParentInstance, too"),
        (statement(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), "lets nobody"),
        (statement(Effect="Deny"), "lets nobody"),
        ([], "cannot be looked at"),
    ],
)
def test_a_statement_that_lets_in_too_many_or_too_few_is_told_so(desk, made, words):
    said = desk.administers(made)
    assert said.outcome == "wrong", said.text
    assert words in said.text


def test_only_a_statement_that_kms_takes_goes_on(desk):
    usable = Checks.stand_ins["administers"].usable
    made = Checks.stand_ins["administers"].make(practice_lab())
    assert usable(practice_lab(), made)
    unknown = [ARNS["owner"], "arn:aws:iam::111122223333:role/Nobody"]
    for one in (None, "text", {}, statement("kms:*"), statement(principal=unknown), policy(made)):
        assert not usable(practice_lab(), one)


def test_a_reader_of_the_account_is_kept_and_no_more(desk):
    reads = statement(["kms:GetKeyPolicy", "kms:DescribeKey"], ROOT)
    assert desk.narrowed(policy(statement(), reads)).outcome == "right"
    for action in ("kms:Decrypt", "kms:ReEncryptFrom", "kms:PutKeyPolicy", "kms:CreateGrant"):
        wide = statement(["kms:GetKeyPolicy", "kms:DescribeKey", action], ROOT)
        said = desk.narrowed(policy(statement(), wide))
        assert said.outcome == "wrong", action


def test_answers_are_compared_with_the_engine_of_the_policy_as_it_is(desk):
    asked = {"DataOwner PutKeyPolicy": "yes", "DataOwner Decrypt": "no"}
    assert desk.who([statement()], asked).outcome == "right"
    said = desk.who([statement("kms:Decrypt")], asked)
    assert "DataOwner PutKeyPolicy: you say yes; asked, it is denied" in said.text
    assert "Still to look at: DataOwner Decrypt" in said.text


def test_the_table_of_rights_holds_the_engines_answers():
    denied = statement("kms:CreateGrant", "*", Effect="Deny")
    bench = practice_lab().bench
    asked = policy(statement(), statement("kms:*", ROOT), denied)
    rights = find_rights(asked, callers_of(bench))
    assert rights["Backup"] == {
        **dict.fromkeys(RIGHTS, "allowed"),
        "kms:CreateGrant": "explicitDeny",
    }
    assert set(rights["another account"].values()) == {"implicitDeny", "explicitDeny"}
    text = lesson_keys.rights_view(bench, asked).text
    assert "3 of them may decrypt" in text
    assert "None of them" in lesson_keys.rights_view(bench, statement()).text
    assert lesson_keys.rights_view(bench, "text").outcome == "wrong"


def test_a_question_without_a_document_needs_no_image():
    lesson = SimpleNamespace(lab=practice_lab())
    lesson.lab.bench.result = lambda step: None
    said = CourseActs.explain(lesson, statement(), document="none", principal="DataOwner")
    assert "Denied" in said.text
    assert CourseActs.rights(lesson, {"Statement": ...}).outcome == "unanswered"
