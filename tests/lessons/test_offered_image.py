"""Whoever hands an image in: no image of a stranger is run here, and files are read as named."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lessons import learner_files, offered_image
from nitro_workflow.lessons.learner_files import LearnerFiles


class Files(LearnerFiles):
    def __init__(self, folder):
        self.lab = type("Lab", (), {"path": folder})()


def test_the_program_of_another_image_is_not_run_here(tmp_path, monkeypatch):
    stranger = tmp_path / "ours.eif"
    stranger.write_bytes(b".eif")
    monkeypatch.setattr(learner_files, "try_application", lambda image: pytest.fail("was run"))
    with pytest.raises(UsageError, match=r"ours\.eif"):
        Files(tmp_path).try_application(stranger)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "/etc/passwd", "."])
def test_a_scratch_file_stays_in_its_folder(tmp_path, name):
    with pytest.raises(UsageError):
        Files(tmp_path).scratch(name)


def test_a_method_is_shown_as_it_stands():
    text = "class A:\n    def b(self):\n        return 1\n"
    assert learner_files._segment(text, "A.b") == "def b(self):\n    return 1"
    assert learner_files._segment(text, "A.c") is None
    assert learner_files._segment(text, "b") is None


def test_the_betraying_line_is_one_of_the_application():
    from enclave_image.inside import query

    source = Path(query.__file__).read_text()
    assert source.count(offered_image._GENUINE) == 1
    ast.parse(source.replace(offered_image._GENUINE, offered_image._BETRAYING))
