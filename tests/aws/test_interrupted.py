"""A run that dies after any call of the set-up goes on where it was, or is torn down: nothing leaks.

The process is cut short inside (an exception that nobody catches), right after AWS has done what was
asked and before anything of it is recorded. Against the stand-in.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nitro_workflow.cloud import DATA_ACCOUNT
from nitro_workflow.lab import Lab, leftovers, teardown
from tests.aws.conftest import Killed
from tests.aws.saved_state import open_lab
from tests.aws.stand_in import StandIn

SAMPLE = 5
"""Of the calls: each costs some seconds."""
EVERY = os.environ.get("NITRO_AWS_FAULTS") == "1"
"""Cut after every call, as `make aws-faults` does; else after a seeded few."""


def keys_of(at: StandIn, lab: Lab) -> list[str]:
    """Return the state of every key that carries the lab's tag, asked behind the lab's back."""
    kms = lab.bench.cloud.session(
        DATA_ACCOUNT, lab.bench.policies.role_arn("owner"), party="owner"
    ).client("kms")
    found = []
    for one in kms.list_keys(Limit=1000)["Keys"]:
        try:
            tags = kms.list_resource_tags(KeyId=one["KeyId"])["Tags"]
        except kms.exceptions.ClientError:
            continue
        if lab.bench.folder.identity in str(tags):
            found.append(kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"])
    return found


def test_a_run_that_dies_after_any_call_goes_on_and_ends(
    at: StandIn, tmp_path: Path, cut: Callable[[int], list[str]]
) -> None:
    calls = cut(0)
    whole = open_lab(at, tmp_path / "whole")
    whole.run("P4")
    made = list(calls)
    assert {"CreateRole", "CreateKey", "CreateAlias", "CreateBucket", "PutKeyPolicy"} <= set(made)
    assert [one.state for one in teardown(whole.pair.aws) if one.state == "failed"] == []
    points = range(1, len(made) + 1)
    chosen = points if EVERY else sorted(random.Random(18).sample(points, SAMPLE))
    for point in chosen:
        folder = tmp_path / f"cut-{point}"
        lab = open_lab(at, folder)
        cut(point)
        with pytest.raises(Killed):
            lab.run("P4")
        cut(0)
        again = open_lab(at, folder)
        assert again.run("P4").status == "done", (point, made[point - 1])
        assert keys_of(at, again).count("Enabled") in (2, 3), (point, made[point - 1])
        removed = list(teardown(again.pair.aws))
        assert [one for one in removed if one.state == "failed"] == [], (point, made[point - 1])
        assert leftovers(again.pair.aws, again.bench.folder.identity) == [], point


def test_a_lab_that_died_is_torn_down_without_going_on(
    at: StandIn, tmp_path: Path, cut: Callable[[int], list[str]]
) -> None:
    calls = cut(0)
    whole = open_lab(at, tmp_path / "whole")
    whole.run("P4")
    count = len(calls)
    list(teardown(whole.pair.aws))
    for point in range(1, count + 1) if EVERY else (1, 4, 9, 12):
        lab = open_lab(at, tmp_path / f"cut-{point}")
        cut(point)
        with pytest.raises(Killed):
            lab.run("P4")
        cut(0)
        removed = list(teardown(lab.pair.aws))
        assert [one for one in removed if one.state == "failed"] == [], point
        assert leftovers(lab.pair.aws, lab.bench.folder.identity) == [], point


def test_a_teardown_that_died_goes_on(
    at: StandIn, tmp_path: Path, cut: Callable[[int], list[str]]
) -> None:
    calls = cut(0)
    whole = open_lab(at, tmp_path / "whole")
    whole.run("P4")
    calls = cut(0)
    list(teardown(whole.pair.aws))
    count = len(calls)
    points = range(1, count + 1) if EVERY else sorted(random.Random(7).sample(range(1, count), 3))
    for point in points:
        lab = open_lab(at, tmp_path / f"cut-{point}")
        lab.run("P4")
        cut(point)
        with pytest.raises(Killed):
            list(teardown(lab.pair.aws))
        cut(0)
        removed = list(teardown(lab.pair.aws))
        assert [one for one in removed if one.state == "failed"] == [], point
        assert leftovers(lab.pair.aws, lab.bench.folder.identity) == [], point
