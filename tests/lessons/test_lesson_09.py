"""What lesson 09 says of sorted attacks, without trying one; and its two tables of attacks."""

from __future__ import annotations

from collections import Counter

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import ATTACKS, AttackOutcome
from nitro_workflow.lessons import attacks_in_turn
from nitro_workflow.lessons.cards import attack_list, attack_table
from nitro_workflow.lessons.checks.attacks_judged import (
    ENDS,
    GUESSED,
    SORTED,
    USES,
    judge,
    means_of,
)

TRUE = {name: means_of(name) for name in SORTED}


def judged(said):
    return judge(said, SORTED, means_of, USES, "{name} is {hint}")


def test_what_is_sorted_and_guessed_are_attacks_of_all_kinds():
    assert set(SORTED) | set(GUESSED) <= set(ATTACKS)
    assert Counter(TRUE.values()) == {"own": 2, "role": 3, "machine": 3}
    assert set(TRUE.values()) == set(USES)
    assert {means_of(name) for name in ATTACKS} == set(USES)
    assert set(ENDS) == {"refused", "useless", "detected"}


def test_all_right():
    assert judged(TRUE).outcome == "right"
    assert judged({name: f" {word.upper()} " for name, word in TRUE.items()}).outcome == "right"


@pytest.mark.parametrize("name", SORTED)
def test_one_wrong_is_named_with_a_hint_and_not_with_the_answer(name):
    for word in set(USES) - {TRUE[name]}:
        said = judged({**TRUE, name: word})
        assert said.outcome == "wrong"
        assert said.sentences[0] == f"{name}: not {word}."
        assert USES[TRUE[name]] in said.sentences[1]
        assert "7 of 8 are right." in said.sentences


def test_blanks_are_counted_and_no_mistake():
    assert judged(dict.fromkeys(SORTED, ...)).outcome == "unanswered"
    some = judged({"own-kms": "machine", "assume-owner": ...})
    assert some.outcome == "unanswered"
    assert "1 of 8 are right." in some.sentences
    assert "put-key-policy" in some.sentences[-1]


@pytest.mark.parametrize("word", ["root", "", 3, None])
def test_another_word_is_none_of_the_three(word):
    assert "is none of own, role, machine" in judged({**TRUE, "own-kms": word}).text


def outcome(name, ended="refused", why=""):
    one = ATTACKS[name]
    return AttackOutcome(name, one.title, one.party, ended, "KMS", "no", "go home", why=why)


def test_the_list_tells_neither_who_nor_how_it_ends():
    listed = attack_list()
    assert len(listed.rows) == len(ATTACKS)
    cells = {cell for row in listed.rows for cell in row}
    assert not cells & {one.party for one in ATTACKS.values()}


def test_the_table_keeps_those_of_one_party_together():
    table = attack_table(
        [outcome("own-kms"), outcome("encrypt", why="no Allow"), outcome("old-version", "detected")]
    )
    assert [row[1] for row in table.rows] == ["hostile parent"] * 2 + ["parent administrator"]
    assert [row[-1] for row in table.rows] == ["no", "no", "no Allow"]
    assert table.head.verdict == "2 refused, 1 detected"


def test_an_unknown_name_is_refused_before_any_is_tried(monkeypatch):
    monkeypatch.setattr(attacks_in_turn, "try_attack", lambda *_: pytest.fail("it was tried"))
    with pytest.raises(UsageError, match="no attack 'guess'"):
        attacks_in_turn.try_in_turn(None, ["encrypt", "guess"])
