"""What lesson 12 checks: the pile, links, signatures, a channel's other end, promises."""

from __future__ import annotations

import itertools

import pytest

from nitro_workflow.lessons import open_pile
from nitro_workflow.lessons.checks import find_checks
from nitro_workflow.lessons.checks import finished_verifier as finished
from nitro_workflow.lessons.checks.channel_cases import channel_cases
from nitro_workflow.lessons.checks.lesson_12 import PROMISES, pile_verdicts
from nitro_workflow.lessons.checks.steps_by_hand import (
    ask,
    link_cases,
    signature_cases,
    signed_bytes,
    works,
)

CHECKS = find_checks("12")(None)


def test_the_engine_refuses_three_of_the_pile_each_for_one_reason():
    bad = {name: why for name, why in pile_verdicts().items() if why != "good"}
    assert bad == {"birch": "signature", "dune": "root", "fjord": "pcrs"}
    assert len(pile_verdicts()) == 8


def test_what_is_shown_of_the_pile_tells_no_more_than_two_of_the_three():
    shown = open_pile().by_hand(finished.issued, finished.to_be_signed, finished.holds).model.rows
    told = {row[0]: row[1:4] for row in shown}
    good = told["amber"]
    assert {name for name, facts in told.items() if facts != good} == {"birch", "dune"}
    assert len({row[5].partition(",")[0] for row in shown}) == 1, "PCR0 is told apart whole only"


@pytest.mark.parametrize(
    ("function", "cases"),
    [
        (finished.issued, tuple(link_cases())),
        (finished.holds, tuple(signature_cases())),
        (finished.believe, tuple(channel_cases())),
    ],
)
def test_cases_are_good_and_bad_and_the_finished_function_knows_which(function, cases):
    assert {case.holds for case in cases} == {True, False}
    assert [ask(function, case.arguments).value for case in cases] == [c.holds for c in cases]
    assert works(function, cases)
    assert not works(lambda *_: 1 / 0, cases)
    assert not works("no function", cases)


def test_every_case_of_a_channel_is_needed():
    """Leave one comparison out, or make it lenient, and some case tells."""
    lenient = [
        lambda verified, nonce, key: verified.document.nonce == nonce,
        lambda verified, nonce, key: verified.document.public_key == key,
        lambda verified, nonce, key: (
            key.startswith(verified.document.public_key or b"") and verified.document.nonce == nonce
        ),
        lambda verified, nonce, key: (
            nonce.startswith(verified.document.nonce or b"") and verified.document.public_key == key
        ),
    ]
    for believe in lenient:
        assert CHECKS.believe(believe).outcome == "wrong"
    assert CHECKS.believe(finished.believe).outcome == "right"


def test_what_is_signed_is_what_the_engine_checks():
    parts = finished.parts()
    assert finished.to_be_signed(parts[0], parts[2]) == signed_bytes(parts)
    assert CHECKS.signature(finished.to_be_signed, finished.holds).outcome == "right"


def test_a_document_of_aws_is_opened():
    assert CHECKS.opened(finished.parts(), finished.fields()).outcome == "right"
    assert CHECKS.opened(finished.parts(), {}).outcome == "wrong"


@pytest.mark.parametrize("claim", PROMISES)
def test_each_promise_is_told_when_it_is_turned_round(claim):
    right = {name: true for name, (true, _) in PROMISES.items()}
    assert CHECKS.promised(right).outcome == "right"
    verdict = CHECKS.promised(right | {claim: not right[claim]})
    assert verdict.outcome == "wrong"
    assert claim in verdict.text.replace("\n", " ")


def test_one_wrong_judgement_is_told_and_no_truth_is_given_away():
    true = pile_verdicts()
    assert CHECKS.judged(true).outcome == "right"
    for name, other in itertools.product(true, ("good", "chain")):
        if true[name] != other:
            verdict = CHECKS.judged({**true, name: other})
            assert verdict.outcome == "wrong"
            assert verdict.notes[name] == "wrong"
            assert true[name] == "good" or f"{true[name]}." not in verdict.text


@pytest.mark.parametrize("name", find_checks("12").truths)
def test_the_evidence_of_each_prediction_supports_it(name):
    truth = find_checks("12").truths[name]
    verdict = truth.marks(None, truth.answer)
    assert verdict.outcome == "right"
    said = {"bundle-root": "chain passed, root failed", "one-byte": "fails at signature",
            "debug-authentic": "fails at debug", "hour-old": "refused by nothing;"}  # fmt: skip
    assert said.get(name, "") in verdict.line
