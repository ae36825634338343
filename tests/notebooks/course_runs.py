"""The course as its learners run it: `make course`.

For each notebook `tests/notebooks/course/lesson_NN.py` tells::

    SOLUTIONS = {"write-condition": "condition = …"}          exercise cell -> a right source
    MISTAKES = [("write-condition", "condition = {}",          exercise cell, a wrong source,
                 "check-condition", "No condition at all")]    check cell, words of its verdict
    WRONG = {"pin-pcr1": 1}                                    prediction -> a wrong answer

Each notebook is run alone in a clean folder: as committed; with wrong predictions; with every
mistake; with a mistake in every exercise to its end; with the solutions. Never an exception.

A run waits more than it computes, so `make course` runs two halves at a time: `NITRO_COURSE=1/2`
has every second notebook, `2/2` the others; without it all are run.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from nitro_workflow.lessons.checking import check_names
from nitro_workflow.lessons.checks import find_checks
from tests.notebooks.course_notebook import CourseNotebook, kept, own_lab

TABLES = sorted(Path(__file__).with_name("course").glob("lesson_*.py"))
PART, PARTS = map(int, os.environ.get("NITRO_COURSE", "1/1").split("/"))
NUMBERS = [path.stem.removeprefix("lesson_") for path in TABLES][PART - 1 :: PARTS]


@pytest.fixture(scope="module", params=NUMBERS)
def number(request):
    return request.param


@pytest.fixture(scope="module")
def table(number):
    return importlib.import_module(f"tests.notebooks.course.lesson_{number}")


@pytest.fixture(scope="module")
def shared_lab(number, tmp_path_factory):
    """One lab a notebook: the first run finds it empty, the others find what it left."""
    with own_lab(tmp_path_factory.mktemp("course") / "lab") as lab:
        yield lab


@pytest.fixture
def lab(shared_lab, number):
    (shared_lab / "course" / f"{number}.json").unlink(missing_ok=True)
    return shared_lab


@pytest.fixture
def notebook(number, lab):
    with CourseNotebook(number).kernel() as opened:
        yield opened


def test_as_committed(notebook, lab, number):
    said = notebook.run_all()
    for cell in notebook.tagged("check"):
        assert "Not answered yet" in said[cell.id], cell.id
    assert not kept(lab, number).get("checks")


def test_every_exercise_and_every_prediction_is_in_the_table(number, table):
    notebook = CourseNotebook(number)
    exercises = {cell.id for cell in notebook.tagged("exercise")}
    assert exercises == set(table.SOLUTIONS)
    assert {mistake[0] for mistake in table.MISTAKES} == exercises
    assert set(table.WRONG) == set(find_checks(number).truths)


def test_wrong_predictions(notebook, lab, number, table):
    notebook.run_all(answers=table.WRONG)
    marked = {name: one["right"] for name, one in kept(lab, number)["predictions"].items()}
    assert marked == dict.fromkeys(table.WRONG, False)


def test_every_mistake_is_told_by_its_check(notebook, table):
    notebook.run_all()
    broken = ""
    for exercise, source, check, words in table.MISTAKES:
        if broken not in ("", exercise):
            notebook.run(table.SOLUTIONS[broken])
        broken = exercise
        between = notebook.code(exercise, check)[1:]  # none where the exercise checks itself
        said = [notebook.run(one) for one in (source, *(cell.source for cell in between))]
        assert words in said[-1], (exercise, source)


def test_a_mistake_in_every_exercise_runs_to_the_end(notebook, table):
    first = {mistake[0]: mistake[1] for mistake in reversed(table.MISTAKES)}
    notebook.run_all(first)


def test_solutions(notebook, lab, number, table):
    notebook.run_all(table.SOLUTIONS)
    outcomes = {name: one["outcome"] for name, one in kept(lab, number)["checks"].items()}
    assert outcomes == dict.fromkeys(check_names(find_checks(number)), "right")
