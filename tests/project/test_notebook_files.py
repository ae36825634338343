"""`nitro-workflow lab` finds its notebooks in a checkout, and in a wheel."""

from __future__ import annotations

import json

import pytest

from hatch_build import cleared
from nitro_workflow.cli import notebook_files
from nitro_workflow.cli.notebook_files import first_notebook
from nitro_workflow.errors import LabError


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """An installed package: notebooks in it, no repository around it."""
    package = tmp_path / "site-packages" / "nitro_workflow"
    carried = package / "notebooks" / "cleared"
    carried.mkdir(parents=True)
    for name in ("00_why_an_enclave.ipynb", "01_the_key.ipynb"):
        (carried / name).write_text("{}")
    monkeypatch.setattr(notebook_files, "REPOSITORY", tmp_path / "nowhere")
    monkeypatch.setattr(notebook_files.resources, "files", lambda _: package)
    monkeypatch.chdir(tmp_path)
    return carried


def test_the_repositorys_are_opened_where_they_are(tmp_path):
    assert first_notebook(None, tmp_path).parent == notebook_files.REPOSITORY
    assert not (tmp_path / "notebooks").exists()


def test_the_wheels_are_copied_once_and_what_the_learner_changed_stays(wheel, tmp_path):
    found = first_notebook(None, tmp_path / "lab")
    assert found == tmp_path / "lab" / "notebooks" / "00_why_an_enclave.ipynb"
    found.write_text('{"mine": 1}')
    found.with_name("01_the_key.ipynb").unlink()
    assert first_notebook(None, tmp_path / "lab") == found
    assert json.loads(found.read_text()) == {"mine": 1}
    assert found.with_name("01_the_key.ipynb").exists()


def test_a_folder_that_is_named_must_hold_them(wheel, tmp_path):
    with pytest.raises(LabError, match="no 00"):
        first_notebook(tmp_path, tmp_path / "lab")


def test_cleared_notebooks_keep_everything_but_outputs():
    code = {"cell_type": "code", "outputs": [{}], "execution_count": 3, "source": ["1 + é"]}
    text = {"cell_type": "markdown", "source": ["# é"]}
    notebook = {"cells": [text, code], "metadata": {"a": 1}, "nbformat": 4}
    found = json.loads(cleared(json.dumps(notebook)))
    assert found["cells"] == [text, {**code, "outputs": [], "execution_count": None}]
    assert (found["metadata"], found["nbformat"]) == ({"a": 1}, 4)
