"""A decision: the same marks as in the whole explanation."""

from __future__ import annotations

from nitro_workflow.widgets import View, decision_model
from tests.widgets.test_views_never_raise import RECORD


def _record(*, applies, matched, effect="Deny"):
    statement = RECORD["statements"][0]
    check = {**statement["checks"][0], "matched": matched, "found": ["f" * 96]}
    statement = {**statement, "applies": applies, "effect": effect, "checks": [check]}
    return {**RECORD, "statements": [statement]}


def test_the_condition_that_makes_a_deny_apply_is_no_tick():
    model = decision_model(_record(applies=True, matched=True))
    (check,) = model.statements[0].matches
    assert (check.tone, check.found) == ("bad", "f" * 96)
    assert check.expected.startswith("all but a, b, c, d and 1 more")
    assert "✗ PCR0  StringNotEquals: matches, and so denies" in repr(View(model))


def test_a_condition_that_makes_an_allow_apply_is_one():
    model = decision_model(_record(applies=True, matched=True, effect="Allow"))
    (check,) = model.statements[0].matches
    assert (check.tone, check.found) == ("good", "")


def test_a_condition_that_does_not_hold_is_shown_with_both_values():
    model = decision_model(_record(applies=False, matched=False))
    (check,) = model.statements[0].matches
    assert (check.tone, check.found) == ("warning", "f" * 96)
