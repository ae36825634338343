"""Parsed policies: remembered by their length, one object for one text, and never what was only sent."""

from __future__ import annotations

import json

import pytest

from nitro_workflow.cloud.local.gate.policy_cache import PolicyCache, check_policy
from nitro_workflow.errors import PolicyError


def text(name: str, size: int = 0) -> str:
    statement = {"Sid": name, "Effect": "Deny", "Action": ["s3:*", "s3:Get" + "x" * size],
                 "Resource": "*"}  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_a_text_is_read_once() -> None:
    cache = PolicyCache(10_000)
    assert cache.parse(text("a"), "identity") is cache.parse(text("a"), "identity")
    assert cache.parse(text("a"), "identity") is not cache.parse(text("a"), "boundary")


def test_what_is_remembered_has_a_budget_of_characters() -> None:
    cache = PolicyCache(3_000)
    for number in range(200):
        cache.parse(text(f"n{number}", size=number % 7 * 300), "identity")
        assert cache._size == sum(len(key[0]) for key in cache._known) <= 3_000
    assert cache._known


def test_the_one_used_last_stays() -> None:
    cache = PolicyCache(1_000)
    first = cache.parse(text("first"), "identity")
    for number in range(50):
        cache.parse(text(f"n{number}"), "identity")
        assert cache.parse(text("first"), "identity") is first


def test_what_is_larger_than_the_budget_is_read_and_forgotten() -> None:
    cache = PolicyCache(100)
    assert cache.parse(text("a", 500), "identity").statements
    assert not cache._known


def test_what_was_sent_is_not_remembered() -> None:
    assert check_policy(text("a"), "identity") is not check_policy(text("a"), "identity")
    with pytest.raises(PolicyError):
        check_policy("{}", "identity")
