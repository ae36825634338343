"""A run that dies after any call from P8 to D9 goes on, or is torn down: nothing is left.

As `test_interrupted`, which is about the calls before; from a saved state after P7.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nitro_workflow.lab import Lab, teardown
from tests.aws.conftest import Killed, cut_with
from tests.aws.saved_state import SavedState, left, open_lab
from tests.aws.test_interrupted import EVERY

SAMPLE = 1


@pytest.fixture(scope="module")
def calls(saved: SavedState, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the changing calls of a run from P8 to D9 that nobody cuts."""
    with pytest.MonkeyPatch.context() as patch:
        arm = cut_with(patch)
        lab = saved.begin(tmp_path_factory.mktemp("whole") / "lab")
        found = arm(0)
        walked(lab)
        made = list(found)
        assert {"CreateSecurityGroup", "RunInstances", "PutObject", "SendCommand"} <= set(made)
        return made


def walked(lab: Lab) -> None:
    results = list(lab.walk("P8"))
    assert [one.error for one in results if one.error] == []
    assert len(results) == 10


def ended(lab: Lab, saved: SavedState) -> None:
    removed = list(teardown(lab.pair.aws))
    assert [one for one in removed if one.state == "failed"] == []
    assert left(saved.at) == []
    assert list(teardown(lab.pair.aws)) == []


def chosen(calls: list[str], seed: int) -> list[int]:
    """Return after which calls to cut; every run makes them all."""
    points = range(1, len(calls) + 1)
    return list(points) if EVERY else sorted(random.Random(seed).sample(points, SAMPLE))


def test_a_run_that_dies_from_p8_on_goes_on_and_ends(
    saved: SavedState, calls: list[str], tmp_path: Path, cut: Callable[[int], list[str]]
) -> None:
    for point in chosen(calls, 18):
        folder = tmp_path / f"cut-{point}"
        lab = saved.begin(folder)
        cut(point)
        with pytest.raises(Killed):
            walked(lab)
        cut(0)
        again = open_lab(saved.at, folder)
        walked(again)
        ended(again, saved)


def test_a_run_that_died_from_p8_on_is_torn_down(
    saved: SavedState, calls: list[str], tmp_path: Path, cut: Callable[[int], list[str]]
) -> None:
    for point in chosen(calls, 19):
        lab = saved.begin(tmp_path / f"cut-{point}")
        cut(point)
        with pytest.raises(Killed):
            walked(lab)
        cut(0)
        ended(open_lab(saved.at, lab.path), saved)
