"""Lesson 13: what it says of AWS is what the package's own pages and texts say."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from nitro_workflow.cloud import AwsSettings
from nitro_workflow.lab import PARTIES, plan, planned_policies
from nitro_workflow.lessons.checks import aws_rights, lesson_13
from nitro_workflow.lessons.checks.lesson_13 import Checks
from nitro_workflow.policy import author
from tests.lessons.practice_lab import ARNS, practice_lab

PAGE = Path(__file__).parents[2] / "docs" / "aws.md"
SETTINGS = AwsSettings("us-east-1")


@pytest.fixture
def checks(monkeypatch):
    monkeypatch.setattr(lesson_13, "key_policy", lambda _: author.initial_key_policy(ARNS["owner"]))
    return Checks(practice_lab())


def test_the_steps_on_a_word_are_those_of_the_page():
    rows = re.findall(r"^\| ([PD0-9, –]+) \| word \|", PAGE.read_text(), re.MULTILINE)
    assert ", ".join(rows) == ", ".join(lesson_13.ON_A_WORD)


@pytest.mark.parametrize("minutes", [10, 60, 600])
@pytest.mark.parametrize("given", [{}, {"bucket": "acme-patients"}, {"instance": "i-01234567"}])
def test_a_sum_made_by_hand_is_right_and_another_is_not(checks, minutes, given):
    made = plan(replace(SETTINGS, stop_after_minutes=minutes, given=given), machine="x86_64")
    once = sum(thing.hour for thing in made.things if thing.step == "P8")
    rest = sum(thing.hour for thing in made.things if thing.step != "P8")
    month = once * minutes / 60 + rest * 730
    assert checks.forgotten(made, month).outcome == "right"
    assert checks.forgotten(made, month + 0.02).outcome == "wrong"


def test_the_packages_own_policy_of_the_administrator_is_a_right_answer(checks):
    policies = planned_policies(SETTINGS, aws_rights.LAB)
    passing = [
        one
        for party in PARTIES
        for one in policies.identity_policy(party)["Statement"]
        if "iam:PassRole" in one["Action"]
    ]
    assert [checks.statement(one).outcome for one in passing] == ["right"]


def test_a_statement_may_be_narrower_than_it_must(checks):
    role = planned_policies(SETTINGS, aws_rights.LAB).role_arn("instance")
    narrow = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    made = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": narrow}
    assert checks.statement(made).outcome == "right"
    other = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert checks.statement(made | {"Condition": other}).outcome == "wrong"


def test_in_one_account_who_administers_iam_becomes_the_owner():
    one = replace(SETTINGS, data_account="111122223333", compute_account="111122223333")
    two = replace(one, compute_account="444455556666")
    assert aws_rights.becomes_owner(one).decision.effect == "allowed"
    assert aws_rights.becomes_owner(two).decision.effect == "implicitDeny"


def test_an_order_is_right_where_three_things_stand_before_three_others(checks):
    pairs = [("instance", "security group"), ("instance profile", "other roles"),
             ("KMS keys", "owner's role")]  # fmt: skip
    for order in itertools.islice(itertools.permutations(lesson_13.PARTS), 0, None, 97):
        good = all(order.index(first) < order.index(then) for first, then in pairs)
        assert (checks.order(order).outcome == "right") == good, order


def test_who_may_end_a_key_is_asked_of_its_policy(checks, monkeypatch):
    open_to_all = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    monkeypatch.setattr(lesson_13, "key_policy", lambda _: {"Statement": [open_to_all]})
    order = [part for part in lesson_13.PARTS if part != "owner's role"]
    order.insert(0, "owner's role")
    order.remove("instance profile")
    order.insert(0, "instance profile")
    order.remove("instance")
    order.insert(0, "instance")
    assert "ParentAdministrator" in checks.order(order).text


def test_what_is_no_answer_is_told(checks):
    assert checks.settings(SimpleNamespace(region="x")).outcome == "wrong"
    assert checks.apart(None).outcome == "wrong"
    assert checks.forgotten(SETTINGS, 1).outcome == "wrong"
