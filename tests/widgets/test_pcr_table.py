"""PCRs side by side: agreement, difference, silence."""

from __future__ import annotations

from nitro_workflow.widgets.pcr_view import ZERO, pcr_table

A, B = "ab" * 48, "ab" * 10 + "cd" * 38


def test_agreement():
    table = pcr_table({"document": {0: A, 1: B}, "image": {0: A}})
    assert (table.tone, [row.tone for row in table.rows]) == ("good", ["good", "neutral"])


def test_a_difference_is_marked_at_its_first_character():
    table = pcr_table({"document": {0: A}, "policy": {0: B}})
    assert (table.tone, table.rows[0].cells[1].difference) == ("bad", 20)


def test_zeros_are_called_zeros():
    assert "all zero" in pcr_table({"document": {0: ZERO}}).rows[0].note


def test_a_register_that_nothing_feeds_is_not_shown():
    assert [row.label for row in pcr_table({"document": {0: A, 5: ZERO}}).rows] == ["PCR0"]
