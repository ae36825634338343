"""The course's notebooks in a lab of AWS, against the stand-in: their kernels get it by test code.

07 and 08, where the instance is launched and the data decrypted. `NITRO_AWS_NOTEBOOKS=1` runs the
others that a person steps through on AWS, too. A cell that raises ends the test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro_workflow.lab import Lab, teardown
from tests.aws.saved_state import left, open_lab
from tests.aws.stand_in import REPOSITORY, StandIn
from tests.notebooks.course_notebook import CourseNotebook

NUMBERS = ("00", "05", "06", "07", "08", "13") if os.environ.get("NITRO_AWS_NOTEBOOKS") == "1" else ("07", "08")  # fmt: skip
KERNEL = Path(__file__).with_name("kernel")


@pytest.fixture(scope="module")
def lab(at: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of AWS that every kernel opens: by its folder alone."""
    opened = open_lab(at, tmp_path_factory.mktemp("lab") / "lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NITRO_WORKFLOW_LAB", str(opened.path))
        patch.setenv("NITRO_TESTS_STAND_IN", str(at.folder))
        patch.setenv("PYTHONPATH", os.pathsep.join((str(KERNEL), str(REPOSITORY))))
        yield opened
    assert [one for one in teardown(opened.pair.aws) if one.state == "failed"] == []
    keys_of_learners = [one for one in left(at) if ":key/" in one]
    # The key that lesson 00 makes by hand: its policy does not let the owner read its tags.
    assert len(keys_of_learners) <= NUMBERS.count("00")
    assert [one for one in left(at) if one not in keys_of_learners] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_a_notebook_runs_as_committed(lab: Lab, number: str) -> None:
    before = {"05": "P4", "06": "P6", "07": "P7", "08": "P8"}.get(number, "")
    if before:
        lab.ensure(before)
    with CourseNotebook(number).kernel() as notebook:
        said = notebook.run_all()
    for cell in notebook.tagged("check"):
        assert "Not answered yet" in said[cell.id], cell.id
    if number == "08":
        assert lab.bench.result("D9").evidence["rows"]
        assert (lab.path / "steps" / "D9.json").read_text().count('"stand-in"') == 1
