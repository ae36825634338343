"""Predict, then run: the question in its three forms."""

from __future__ import annotations

from nitro_workflow.widgets import Question

QUESTION = Question("Will KMS answer?", ("Yes", "<b>No</b>"), 1, "no document, no key")


def test_the_static_form_shows_the_options_and_hides_the_answer():
    bundle = QUESTION._repr_mimebundle_()
    assert bundle["text/plain"] == "Will KMS answer?\n  ( ) Yes\n  ( ) <b>No</b>"
    before, after = bundle["text/html"].split("<summary>Answer</summary>")
    assert "no document" not in before
    assert "no document, no key" in after
    assert "<b>No</b>" not in bundle["text/html"]


def test_choosing_says_whether_and_why():
    assert tuple(QUESTION.widget.model["said"]) == (
        "✗ Not quite: no document, no key",
        "✓ Yes: no document, no key",
    )
