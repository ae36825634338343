"""A learner's own notebooks: copies without outputs, never overwritten, from a checkout or a wheel."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import jupyter, notebook_files
from nitro_workflow.cli.notebook_files import cleared, copy_again, copy_notebooks, first_notebook
from nitro_workflow.cli.notebooks import notebooks
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.lessons.kept_answers import KeptAnswers

CELL = {"cell_type": "code", "outputs": [{}], "execution_count": 3, "source": ["1 + é"]}
NOTEBOOK = {"cells": [{"cell_type": "markdown", "source": ["# é"]}, CELL], "metadata": {"a": 1}}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """An installed package: notebooks in it, no repository around it."""
    package = tmp_path / "site-packages" / "nitro_workflow"
    carried = package / "notebooks"
    carried.mkdir(parents=True)
    for name in ("00_why_an_enclave.ipynb", "06_the_policy.ipynb"):
        (carried / name).write_text(json.dumps(NOTEBOOK))
    (carried / "glossary.md").write_text("# Glossary")
    monkeypatch.setattr(notebook_files, "REPOSITORY", tmp_path / "nowhere")
    monkeypatch.setattr(notebook_files.resources, "files", lambda _: package)
    monkeypatch.chdir(tmp_path)
    return carried


@pytest.fixture
def lab(tmp_path):
    return tmp_path / "lab"


def test_the_repositorys_are_copied_and_stay_as_they_are(lab):
    found = first_notebook(None, lab)
    assert found.parent == lab / "notebooks"
    committed = notebook_files.REPOSITORY / found.name
    assert '"execution_count": 1' in committed.read_text()
    assert json.loads(found.read_text()) == json.loads(cleared(committed.read_text()))
    assert (lab / "notebooks" / "glossary.md").exists()


def test_the_wheels_are_copied_once_and_what_the_learner_changed_stays(wheel, lab):
    found = first_notebook(None, lab)
    found.write_text('{"mine": 1}')
    found.with_name("06_the_policy.ipynb").unlink()
    assert first_notebook(None, lab) == found
    assert json.loads(found.read_text()) == {"mine": 1}
    assert found.with_name("06_the_policy.ipynb").exists()


def test_copying_says_what_was_made_and_what_stayed(wheel, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "glossary.md").write_text("mine")
    copied = copy_notebooks(tmp_path / "mine")
    assert copied.made == ("00_why_an_enclave.ipynb", "06_the_policy.ipynb")
    assert copied.kept == ("glossary.md",)
    said = CliRunner().invoke(notebooks, ["copy", str(tmp_path / "mine")]).output
    assert "0 copied" in said
    assert "3 were there and stay" in said


def test_a_folder_that_is_named_must_hold_them(wheel, tmp_path, lab):
    with pytest.raises(LabError, match="no 00"):
        first_notebook(tmp_path, lab)


def test_a_copy_keeps_everything_but_outputs():
    found = json.loads(cleared(json.dumps(NOTEBOOK)))
    assert found["cells"] == [
        NOTEBOOK["cells"][0],
        {**CELL, "outputs": [], "execution_count": None},
    ]
    assert found["metadata"] == {"a": 1}


def test_a_notebook_begun_anew_keeps_the_learners_own_beside_it(wheel, lab):
    first_notebook(None, lab)
    mine = lab / "notebooks" / "06_the_policy.ipynb"
    mine.write_text('{"mine": 1}')
    kept = KeptAnswers(lab, "06")
    said = CliRunner().invoke(notebooks, ["reset", "06", "--lab", str(lab)])
    assert said.exit_code == 0, said.output
    aside = next(mine.parent.glob("06_the_policy.until-*.ipynb"))
    assert json.loads(aside.read_text()) == {"mine": 1}
    assert aside.name in said.output
    assert json.loads(mine.read_text())["metadata"] == {"a": 1}
    kept.predict("pin-pcr1", "?")
    CliRunner().invoke(notebooks, ["reset", "06", "--lab", str(lab)])
    assert kept.answer("pin-pcr1") == ""
    with pytest.raises(UsageError, match="no notebook '42'"):
        copy_again(mine.parent, "42")


def test_progress_counts_what_is_kept_and_is_written_for_a_teacher(lab, tmp_path):
    CliRunner().invoke(notebooks, ["progress", "--lab", str(lab)])  # an empty lab is fine
    kept = KeptAnswers(lab, "06")
    kept.predict("pin-pcr1", "yes: PCR1 is the same")
    kept.mark("pin-pcr1", right=True)
    kept.check("condition", "wrong")
    kept.check("condition", "right")
    kept.check("answers", "wrong", {"harbour": "3 of 3"})
    line = next(
        line
        for line in CliRunner()
        .invoke(notebooks, ["progress", "--lab", str(lab)])
        .output.splitlines()
        if line.startswith("06")
    )
    assert "1 of 2, 1 came true" in line
    assert "1 of 5 right, 3 tries" in line
    file = tmp_path / "me.json"
    CliRunner().invoke(notebooks, ["progress", "--lab", str(lab), "--export", str(file)])
    written = json.loads(file.read_text())
    six = next(one for one in written["lessons"] if one["lesson"] == "06")
    assert six["notes"] == {"answers": {"harbour": "3 of 3"}}
    assert len(written["lab"]) == 16
    as_json = CliRunner().invoke(notebooks, ["progress", "--lab", str(lab), "--json"]).output
    assert len(as_json.splitlines()) == 14


@pytest.mark.parametrize(
    ("user", "given", "added"),
    [(0, (), True), (0, ("--allow-root",), False), (1000, (), False)],
)
def test_jupyterlab_runs_as_root_where_one_is_root_and_it_is_said(
    monkeypatch, capsys, user, given, added
):
    monkeypatch.setattr(jupyter.os, "geteuid", lambda: user)
    assert jupyter._as_root(given) == (("--allow-root",) if added else ())
    assert ("--allow-root" in capsys.readouterr().err) is added
