"""Predict, then run: the question in its forms, which tell no answer."""

from __future__ import annotations

from nitro_workflow.widgets import Question

OPTIONS = ("Yes", "<b>No</b>")


def test_the_static_form_is_the_question_alone_whatever_was_answered():
    plain = Question("Will KMS answer?", OPTIONS)._repr_mimebundle_()
    answered = Question("Will KMS answer?", OPTIONS, answer="Yes", said="kept")._repr_mimebundle_()
    assert plain["text/plain"] == "Will KMS answer?\n  ○ Yes\n  ○ <b>No</b>"
    assert answered["text/plain"] == plain["text/plain"]
    assert "kept" not in answered["text/html"]
    assert "<b>No</b>" not in plain["text/html"]
    assert plain["text/html"].count("○") == 2


def test_an_answer_in_the_live_form_is_kept_and_said():
    heard = []

    def keep(answer):
        heard.append(answer)
        return f"kept: {answer}"

    widget = Question("Will KMS answer?", OPTIONS, keep).widget
    widget.answer = "Yes"
    assert heard == ["Yes"]
    assert widget.said == "kept: Yes"


def test_a_question_without_options_takes_a_line():
    question = Question("Which PCR?", answer="PCR0")
    assert repr(question) == "Which PCR?\n  ○ …"
    assert not question.widget.model["options"]
    assert question.widget.model["answer"] == "PCR0"
