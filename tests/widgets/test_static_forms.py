"""Cards that ask nothing back, and differences: complete in text and HTML, escaped, never live."""

from __future__ import annotations

import difflib

import pytest

from nitro_workflow.lab import AttackOutcome
from nitro_workflow.lessons.cards import attack_card, reset_card
from nitro_workflow.widgets import Fact, Head, PlainModel, View, make_changes
from nitro_workflow.widgets.drawing import visible
from nitro_workflow.widgets.inspectors import KINDS, STILL
from tests.widgets.forms import HOSTILE, LONG, both_say, forms

OUTCOME = AttackOutcome(
    name="decrypt-without-document",
    title="Decrypt with the instance's role, without a document",
    party="whoever has the instance role",
    outcome="refused",
    by="KMS, by the key policy",
    reason="User: arn:aws:sts::444455556666:assumed-role/ParentInstance/i-1 is not authorized",
    next="Ask from the enclave.",
    code="AccessDeniedException",
    explanation="denied: statement 5\n  because PCR0 is absent",
    why="no document, so no PCR0",
)
BEFORE = """{
  "Statement": [
    {"Sid": "Owner"}
  ]
}"""
AFTER = """{
  "Statement": [
    {"Sid": "Other"},
    {"Sid": "Enclave", "Action": "kms:Decrypt"}
  ]
}"""


def _unified(before, after):
    return difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")


def changed(before=BEFORE, after=AFTER):
    return make_changes(_unified(before, after), what="The key policy")


def test_an_attack_says_how_it_ended_who_stopped_it_and_the_clouds_own_words():
    both_say(
        attack_card(OUTCOME),
        "Refused: the answer was no",
        "No document, so no PCR0.",
        "KMS, by the key policy",
        "AccessDeniedException: User: arn:aws:sts::444455556666:assumed-role",
        "is not authorized",
        "Ask from the enclave.",
        "because PCR0 is absent",
    )


def test_starting_over_says_what_goes():
    both_say(reset_card("Start over?", "all that the lab holds", "run it"), "Start over?",
             "all that the lab holds", "run it")  # fmt: skip


def test_a_table_is_whole_in_both_forms():
    rows = (("owner", "111122223333"), ("instance", "444455556666"))
    model = PlainModel(Head("w", "Two roles", "neutral"), columns=("role", "account"), rows=rows)
    both_say(model, "Two roles", "role", "account", "owner", "111122223333", "444455556666")


def test_a_difference_has_signs_in_both_forms_and_names_the_statements():
    model = changed()
    both_say(
        model,
        "The key policy",
        "Statements: added Other, Enclave; removed Owner.",
        '-     {"Sid": "Owner"}',
        '+     {"Sid": "Enclave", "Action": "kms:Decrypt"}',
        "- before, + after, unsigned: in both",
    )
    html = View(model).html
    assert '<del class="del">-     {' in html
    assert '<ins class="ins">+     {' in html


def test_the_first_difference_of_a_changed_line_is_marked():
    model = changed('{"PCR0": "aaaa"}', '{"PCR0": "aaba"}')
    text, _ = forms(model)
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if "aaba" in line)
    assert lines[at + 1].index("^") == lines[at].index("aaba") + 2
    assert "1 line added and 1 line removed" in model.head.verdict.lower()
    assert '<mark title="the first difference"><b>b</b></mark>' in View(model).html


def test_a_gap_between_two_pieces_is_shown_and_a_line_of_dashes_is_not_a_name():
    before = [*"abcdefghijklmnop", "-- x"]
    after = ["A", *"bcdefghijklmnop", "-- y"]
    model = make_changes(difflib.unified_diff(before, after, lineterm=""), what="t")
    assert [line.text for line in model.lines if line.sign == "-"] == ["a", "-- x"]
    assert sum(line.sign == "…" for line in model.lines) == 1


def test_no_difference_is_said():
    both_say(changed(BEFORE, BEFORE), "Nothing changed")


@pytest.mark.parametrize("evil", [HOSTILE, LONG], ids=["hostile", "1 MB"])
def test_an_attackers_text_stays_text(evil):
    head = Head(evil, evil, "bad", evil, evil)
    both_say(PlainModel(head, (Fact(evil, evil, "bad"),), (evil,), ((evil,),), evil), visible(evil))
    text, html = forms(changed(BEFORE, f"{BEFORE}\n{evil}"))
    shown = visible(f"+ {evil}"[:60_000])
    assert shown in text
    assert shown in html


@pytest.mark.parametrize("model", [attack_card(OUTCOME), changed()], ids=lambda model: model.kind)
def test_what_asks_nothing_back_has_no_live_form(model):
    assert View(model).widget is None
    assert "data-nw-view" not in View(model)._repr_mimebundle_()[0]["text/html"]


def test_a_kind_is_live_or_still():
    assert not KINDS & STILL
