"""What a learner answers: kept, marked once, told without an exception, and never spoiled."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.lessons.checking import (
    CheckDesk,
    LessonChecks,
    StandIn,
    check_names,
    marks,
    takes_blanks,
)
from nitro_workflow.lessons.course_acts import CourseActs
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.unfinished import unfinished
from nitro_workflow.lessons.verdict import Verdict


class Checks(LessonChecks):
    """Checks as a lesson has them."""

    truths: ClassVar = {
        "which": Truth("PCR0", "it covers everything", lambda lab: "The engine: 1 of 6."),
        "free": Truth("three", "two and one", accepts=lambda said, true: said in ("3", true)),
    }
    stand_ins: ClassVar = {"number": StandIn("number", lambda lab: 7, lambda lab, made: made > 0)}

    @marks("which")
    def number(self, made: Any) -> Verdict:
        """Seven is right."""
        return Verdict.right("Seven.") if made == 7 else Verdict.wrong("Look above.", witness="8")

    @takes_blanks
    def blanks(self, made: Any) -> Verdict:
        """Looks at what is there."""
        return Verdict.right() if ... in made else Verdict.wrong("no blank")

    def bad(self, made: Any) -> Verdict:
        """Fails as a learner's value makes it fail."""
        if made == "ours":
            raise LabError("a broken thing", next="mend it")
        return made["x"]["y"].z


class Acts(CourseActs):
    """The acts alone, without an open lab."""

    def __init__(self, kept: KeptAnswers) -> None:
        self._kept, self._checks, self._asked = kept, Checks(None), {}
        self.lab = None


@pytest.fixture
def kept(tmp_path):
    return KeptAnswers(tmp_path, "06")


@pytest.fixture
def acts(kept):
    return Acts(kept)


@pytest.fixture
def desk(kept):
    return CheckDesk(Checks(None), kept)


def test_an_answer_is_kept_whole_and_may_change_until_it_is_marked(acts, kept):
    question = acts.predict("which", "Which PCR?", ["PCR0", "PCR1", "PCR2"])
    empty = question._repr_mimebundle_()["text/plain"]
    question.keep("PCR1")
    question.keep("PCR2")
    assert kept.answer("which") == "PCR2"
    assert "PCR0" in acts.mark("which").text
    question.keep("PCR0")
    assert kept.answer("which") == "PCR2"
    again = acts.predict("which", "Which PCR?", ["PCR0", "PCR1", "PCR2"])
    assert again.closed
    assert again._repr_mimebundle_()["text/plain"] == empty


def test_an_answer_by_code_is_a_number_from_one_or_words(acts, kept):
    acts.predict("which", "Which PCR?", ["PCR0", "PCR1", "PCR2"])
    acts.answer("which", 1)
    assert kept.answer("which") == "PCR0"
    acts.answer("which", "PCR1")
    assert kept.answer("which") == "PCR1"
    for wrong in (0, "PCR9"):
        with pytest.raises(UsageError, match="the answer"):
            acts.answer("which", wrong)
    with pytest.raises(UsageError, match="no question"):
        acts.answer("other", 1)


def test_a_mark_says_what_was_said_what_is_and_what_the_engine_found(acts):
    assert "Not answered yet." in acts.mark("which").text
    acts.predict("which", "?", ["PCR0", "PCR1"])
    acts.answer("which", 2)
    said = acts.mark("which")
    assert said.outcome == "wrong"
    for words in ("You said “PCR1”", "it is “PCR0”", "covers everything", "The engine: 1 of 6."):
        assert words in said.text


def test_a_free_text_is_accepted_in_other_words(acts):
    acts.predict("free", "How many?")
    acts.answer("free", "3")
    assert acts.mark("free").outcome == "right"


def test_a_check_says_keeps_and_marks(desk, kept):
    kept.predict("which", "PCR0")
    said = desk.number(8)
    assert "Look above." in said.text
    assert "try              8" in said.text
    assert "your prediction  ✓ As you said. “PCR0”" in said.text
    desk.number(7)
    assert kept.checks()["number"]["outcome"] == "right"
    assert kept.checks()["number"]["tries"] == 2


@pytest.mark.parametrize("made", [..., {"a": ...}, [1, [..., 2]], {"a": {"b": (...,)}}])
def test_what_is_unfinished_is_not_answered_and_no_try(desk, kept, made):
    said = desk.number(made)
    assert said.outcome == "unanswered"
    assert "Not answered yet" in said.text
    assert kept.checks() == {}


def test_where_something_is_missing_is_said(desk):
    assert (
        "Principal, Condition.Null"
        in desk.number({"Principal": ..., "Condition": {"Null": ...}}).text
    )
    assert desk.blanks([..., 1]).outcome == "right"


@pytest.mark.parametrize("made", ["ours", "text", {}, {"x": {}}, {"x": {"y": 1}}, None, 3])
def test_a_check_never_raises_for_what_a_learner_may_write(desk, made):
    said = desk.bad(made)
    assert said.outcome == "wrong"
    assert len(said.sentences) == 2


def test_an_endless_value_is_looked_at_and_ends():
    endless: list[Any] = []
    endless.append(endless)
    assert unfinished(endless) == []


def test_an_unknown_check_or_prediction_is_named(desk):
    with pytest.raises(UsageError, match="no check 'nubmer'"):
        desk.nubmer(1)
    with pytest.raises(UsageError, match="no prediction"):
        desk.mark("nothing")
    assert list(check_names(Checks)) == ["number", "blanks", "bad"]
    assert set(dir(desk)) == {"number", "blanks", "bad"}


def test_a_stand_in_takes_the_place_of_what_is_not_finished_and_says_so(acts, capsys):
    assert acts.use(9, "number") == 9
    assert capsys.readouterr().out == ""
    assert acts.use(..., "number") == 7
    assert capsys.readouterr().out == "number is not finished: a finished number stands in.\n"
    assert acts.use(-1, "number") == 7
    assert "cannot be used here" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"format": 9}', b"\xff", b'{"format": 1, "checks": 3}']
)
def test_a_damaged_file_counts_as_none_and_is_replaced(kept, content):
    kept.path.parent.mkdir()
    kept.path.write_bytes(content)
    assert kept.predictions() == {}
    kept.predict("which", "PCR0")
    assert json.loads(kept.path.read_bytes())["predictions"]["which"]["answer"] == "PCR0"
    kept.forget()
    assert kept.answer("which") == ""


def test_a_verdict_escapes_what_it_shows():
    hostile = "<script>alert(1)</script>"
    bundle = Verdict.wrong(hostile, witness=hostile).named(hostile)._repr_mimebundle_()
    assert "<script" not in bundle["text/html"]
    assert bundle["text/html"].count("&lt;script&gt;") >= 3


def test_a_verdict_of_many_sentences_has_its_lead_in_the_head_and_a_row_for_each_named_one():
    rows = ("one: refused", "two: useless", "three: detected")
    led = Verdict.right("All three, and each was tried.", *rows).view.model
    assert led.head.verdict == "Right: All three, and each was tried."
    named = Verdict.right(*rows, "four: refused").view.model
    assert named.head.verdict == "Right."
    assert [(fact.name, fact.value) for fact in led.facts] == [
        ("one", "refused"), ("two", "useless"), ("three", "detected")]  # fmt: skip
    assert len(named.facts) == 4
