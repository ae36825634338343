"""The decision log in a real browser: filtered, walked, a record opened and decided again."""

from __future__ import annotations

import pytest

from nitro_workflow.widgets import View
from nitro_workflow.widgets.inspectors.log_model import log_answers, make_log
from tests.browser.accessibility import serious, with_axe
from tests.widgets.inspectors.log_cases import record
from tests.widgets.inspectors.policy_cases import GOOD, HOSTILE, key_policy

pytestmark = pytest.mark.browser
RECORDS = [
    record(1), record(2, name="GenerateDataKey", refused=False, explained=False, pcrs=GOOD),
    record(3, explained=False, errorCode=HOSTILE),
]  # fmt: skip


def view(**given):
    return View(make_log(RECORDS), answers=log_answers(RECORDS, **given))


def rows(page):
    return page.get_by_role("table", name="Records").locator("tr[data-number]")


def test_words_and_outcome_filter(show):
    page = show(view())
    assert rows(page).count() == 3
    page.get_by_role("searchbox", name="Filter the records").fill("generatedatakey parent")
    assert rows(page).count() == 1
    page.get_by_role("searchbox", name="Filter the records").fill("")
    page.get_by_role("button", name="refused").click()
    assert rows(page).count() == 2
    assert page.get_by_text("2 of 3").first.is_visible()


def test_a_record_is_opened_by_keyboard_and_decided_again(show):
    page = show(view(policy=key_policy()))
    rows(page).first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Denied: PCR0 is another image's").wait_for()
    page.get_by_role("textbox", name="PCR0").first.fill("")
    page.get_by_role("heading", name="Denied: no attestation document").wait_for()


def test_a_click_opens_too_and_hostile_texts_stay_text(show):
    page = show(view())
    rows(page).first.click()
    page.get_by_role("heading", name="Refused:").wait_for()
    assert page.locator("img").count() == 0
    assert page.locator("tr[data-on]").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, require, theme):
    page = show(view(), theme=theme)
    rows(page).last.click()
    page.get_by_role("heading", name="Denied").wait_for()
    with_axe(page, require)
    assert serious(page) == []
