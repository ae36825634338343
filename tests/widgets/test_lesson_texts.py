"""What the lessons say of themselves: questions are fair, and each is asked once."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from nitro_workflow.lessons.questions import QUESTIONS

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_every_question_has_one_right_answer_and_a_reason():
    for question in QUESTIONS.values():
        assert 0 <= question.right < len(question.options)
        assert question.why


def test_each_question_is_asked_once():
    sources = [
        cell.source for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells
    ]
    asked = re.findall(r'lesson\.ask\("([^"]+)"\)', "\n".join(sources))
    assert sorted(asked) == sorted(QUESTIONS)
