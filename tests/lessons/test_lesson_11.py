"""What lesson 11 checks without a cloud: the order of a roll-out, an alarm's pattern."""

from __future__ import annotations

import itertools

import pytest

from nitro_workflow.errors import InputError
from nitro_workflow.lessons.checks import find_checks
from nitro_workflow.lessons.checks.event_pattern import matches, require_pattern
from nitro_workflow.lessons.checks.lesson_11 import STEPS, find_gap

EVENT = {
    "source": "aws.kms",
    "detail-type": "AWS API Call via CloudTrail",
    "detail": {"eventName": "PutKeyPolicy", "errorCode": None},
}


def test_one_order_of_the_four_steps_has_no_gap():
    good = [order for order in itertools.permutations(STEPS) if find_gap(order) is None]
    assert good == [STEPS]


@pytest.mark.parametrize(
    ("pattern", "seen"),
    [
        ({"source": ["aws.kms"]}, True),
        ({"source": ["aws.s3", "aws.kms"]}, True),
        ({"source": ["aws.s3"]}, False),
        ({"detail": {"eventName": ["PutKeyPolicy"]}}, True),
        ({"detail": {"eventName": [{"prefix": "Put"}]}}, True),
        ({"detail": {"eventName": [{"prefix": "Create"}]}}, False),
        ({"source": ["aws.kms"], "detail": {"eventName": ["Decrypt"]}}, False),
        ({"detail": {"userIdentity": {"type": ["Root"]}}}, False),
        ({"detail": {"errorCode": [{"prefix": ""}]}}, False),
        ({"account": ["111122223333"]}, False),
    ],
)
def test_a_pattern_sees_what_it_names(pattern, seen):
    require_pattern(pattern)
    assert matches(pattern, EVENT) is seen


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        [],
        "PutKeyPolicy",
        {"source": "aws.kms"},
        {"source": []},
        {"detail": {}},
        {"detail": {"eventName": [{"anything-but": "Decrypt"}]}},
    ],
)
def test_what_eventbridge_would_not_take_is_refused(pattern):
    with pytest.raises(InputError, match="no event pattern"):
        require_pattern(pattern)


@pytest.mark.parametrize(
    ("names", "outcome", "words"),
    [
        (["PutKeyPolicy", "CreateGrant", "ScheduleKeyDeletion", "DisableKey"], "right", "four"),
        (["PutKeyPolicy", "CreateGrant", "ScheduleKeyDeletion"], "wrong", "DisableKey"),
        ([{"prefix": ""}], "wrong", "Decrypt"),
    ],
)
def test_an_alarm_rings_for_what_changes_who_may(names, outcome, words):
    checks = find_checks("11")(None)
    verdict = checks.alarm({"source": ["aws.kms"], "detail": {"eventName": names}})
    assert verdict.outcome == outcome
    assert words in verdict.text
    without = checks.alarm({"detail": {"eventName": names}})
    assert (without.outcome, "Name the source" in without.text) == (outcome, outcome == "right")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"source": ["kms"]}, "source is “aws.kms”"),
        ({"detail-type": ["AwsApiCall"]}, "detail-type is “AWS API Call via CloudTrail”"),
        ({"detail": {"eventName": ["kms:PutKeyPolicy"]}}, "without kms: before them"),
    ],
)
def test_an_alarm_that_never_rings_is_told_which_field_is_named_otherwise(field, words):
    names = {"eventName": ["PutKeyPolicy", "CreateGrant", "ScheduleKeyDeletion", "DisableKey"]}
    verdict = find_checks("11")(None).alarm({"source": ["aws.kms"], "detail": names} | field)
    assert verdict.outcome == "wrong"
    assert words in verdict.text
