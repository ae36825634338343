"""Predict, then run: the question in its forms, which tell no answer."""

from __future__ import annotations

import pytest

from nitro_workflow.widgets import Question, View, make_policy
from nitro_workflow.widgets.drawing import visible
from nitro_workflow.widgets.live_answers import told
from tests.widgets.forms import HOSTILE, LONG, both_say

OPTIONS = ("Yes", "<b>No</b>")


def test_the_static_forms_are_the_question_alone_whatever_was_answered():
    plain = Question("Will KMS answer?", OPTIONS)._repr_mimebundle_()
    answered = Question("Will KMS answer?", OPTIONS, answer="Yes", said="kept")._repr_mimebundle_()
    assert plain["text/plain"] == "Will KMS answer?\n  ○ Yes\n  ○ <b>No</b>"
    assert answered["text/plain"] == plain["text/plain"]
    assert "kept" not in answered["text/html"]
    assert "<b>No</b>" not in plain["text/html"]
    assert plain["text/html"].count("○") == 2


def test_each_kind_has_a_style_of_its_own_in_a_page():
    """anywidget replaces the style of a class of the same name: two kinds share a notebook."""
    question = Question("Will KMS answer?", OPTIONS).view.widget
    policy = View(make_policy({})).widget
    assert question._anywidget_id != policy._anywidget_id


def test_an_answer_in_the_live_form_is_kept_and_something_is_said_to_it():
    heard = []

    def keep(answer):
        heard.append(answer)
        return f"kept: {answer}"

    answers = Question("Will KMS answer?", OPTIONS, keep).view.answers
    message = {"id": 1, "question": "keep", "values": {"answer": "Yes"}}
    assert told(answers, message) == {"id": 1, "answer": "kept: Yes"}
    assert heard == ["Yes"]
    assert "refused" in told(answers, {**message, "values": {}})


def test_a_question_without_options_takes_a_line():
    question = Question("Which PCR?", answer="PCR0", said="as you said")
    assert repr(question) == "Which PCR?\n  ○ …"
    model = question.view.widget.model
    assert (model["options"], model["answer"], model["said"]) == ([], "PCR0", "as you said")


def test_the_same_question_is_one_view():
    question = Question("Will KMS answer?", OPTIONS)
    assert question._repr_mimebundle_() == question._repr_mimebundle_()


@pytest.mark.parametrize("evil", [HOSTILE, LONG], ids=["hostile", "1 MB"])
def test_an_attackers_text_stays_text(evil):
    both_say(Question(evil, (evil,)).view.model, visible(evil)[:60_000])
