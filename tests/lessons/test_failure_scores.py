"""What a case costs, what it gives, and that neither its shape nor its file gives it away."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import EVIDENCE, RECORD, SET_UPS
from nitro_workflow.lessons.checks import find_checks
from nitro_workflow.lessons.course_progress import answers_in, forget_answers
from nitro_workflow.lessons.failures import CAUSES, CaseScore, ScoreFile, open_denials


@pytest.fixture
def lab(tmp_path):
    return SimpleNamespace(path=tmp_path)


def test_three_points_for_a_right_answer_after_two_commands():
    score = CaseScore().asking("kms get-key-policy").asking("attestation show")
    assert score.asking("attestation show") == score  # a second look is free
    assert score.worth == 3
    assert score.saying("debug-mode", right=True).mending().points == 3


def test_two_points_after_more_commands_or_at_the_second_answer():
    three = CaseScore().asking("a").asking("b").asking("c")
    assert three.worth == 2
    once = CaseScore().saying("capitals", right=False)
    assert once.worth == 2
    assert once.saying("capitals", right=False) == once  # the same wrong answer counts once


def test_one_point_after_the_record_or_the_third_answer():
    assert CaseScore().reading().worth == 1
    wrong = CaseScore().saying("capitals", right=False).saying("wrong-role", right=False)
    assert wrong.worth == 1


def test_nothing_costs_after_the_diagnosis_and_nothing_is_given_before_the_repair():
    found = CaseScore().saying("capitals", right=True)
    assert found.asking("a").asking("b").asking("c").reading().saying("x", right=False) == found
    assert (found.points, found.mending().points) == (0, 3)


def test_scores_are_kept_by_order_and_forgotten_by_order(tmp_path):
    first, second = ScoreFile(tmp_path, 1), ScoreFile(tmp_path, 2)
    first.put("1", CaseScore(asked=("a",), found=True))
    second.put("1", CaseScore(record=True))
    assert ScoreFile(tmp_path, 1).get("1") == CaseScore(asked=("a",), found=True)
    first.forget()
    assert first.get("1") == CaseScore()
    assert second.get("1") == CaseScore(record=True)


def test_to_begin_lesson_10_anew_drops_the_scores_of_all_orders_and_says_so(tmp_path):
    for seed in (1, 2):
        ScoreFile(tmp_path, seed).put("1", CaseScore(record=True))
    assert "scores" not in answers_in("09")
    forget_answers(tmp_path, "09")
    assert ScoreFile(tmp_path, 1).get("1") == CaseScore(record=True)
    assert answers_in("10").endswith("with the scores of the failure lab")
    forget_answers(tmp_path, "10")
    assert {ScoreFile(tmp_path, seed).get("1") for seed in (1, 2)} == {CaseScore()}


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"1": 7}', b'{"1": {"1": {"asked": []}}}'])
def test_a_damaged_file_counts_as_none(tmp_path, damage):
    kept = ScoreFile(tmp_path, 1)
    kept.path.parent.mkdir()
    kept.path.write_bytes(damage)
    assert kept.get("1") == CaseScore()
    kept.put("2", CaseScore(found=True))
    assert json.loads(kept.path.read_bytes())["1"]["2"]["found"] is True


def test_sixteen_causes_hold_the_twelve_and_each_points_to_a_command():
    assert len(CAUSES) == 16
    assert SET_UPS.keys() <= CAUSES.keys()
    assert {cause.command for cause in CAUSES.values()} <= EVIDENCE.keys() - {RECORD}


def test_the_same_number_gives_the_same_order_and_another_another(lab):
    def order(seed):
        opened = open_denials(lab, seed)
        return [
            name for case in range(1, 13) for name in SET_UPS if opened.says(str(case), name)[1]
        ]

    assert order(7) == order(7)
    assert order(7) != order(8)
    assert sorted(order(8)) == sorted(SET_UPS)


def test_a_board_and_its_cases_do_not_say_a_cause(lab):
    denials = open_denials(lab)
    text = repr(denials) + str(denials._repr_mimebundle_())
    assert not [name for name in CAUSES if name in text]
    assert "0 of 36 points" in text


@pytest.mark.parametrize("seed", ["7", 1.5, None])
def test_a_seed_is_a_whole_number(lab, seed):
    with pytest.raises(UsageError, match="whole number"):
        open_denials(lab, seed)


def test_an_unanswered_case_is_unanswered_and_a_name_that_is_no_cause_is_told(lab):
    checks, denials = find_checks("10")(lab), open_denials(lab)
    assert checks.case_1(denials, ..., ...).outcome == "unanswered"
    assert "none of the sixteen" in checks.case_1(denials, "the network", ...).text
    assert "none of the sixteen" in checks.case_1(denials, ["debug-mode"], ...).text
    assert denials.score("1") == CaseScore()


def test_wrong_answers_are_told_by_what_they_would_show_and_counted(lab):
    checks, denials = find_checks("10")(lab), open_denials(lab)
    said = checks.case_1(denials, "skewed-clock", ...)
    assert said.outcome == "wrong"
    assert "three times" in said.text
    assert "“date”" in said.text
    assert denials.score("1").wrong == ("skewed-clock",)
    assert checks.case_1(denials, "debug-mode", ...).outcome == "right"
