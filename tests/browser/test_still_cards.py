"""Questions, and cards that ask nothing back, in a real browser: choosing, themes, 600 px, axe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitro_workflow.lessons.cards import attack_card, attack_table
from nitro_workflow.widgets import Question, View
from tests.browser.accessibility import CONTRAST, serious, with_axe
from tests.browser.conftest import THEMES
from tests.widgets.forms import HOSTILE
from tests.widgets.test_static_forms import OUTCOME, changed

pytestmark = pytest.mark.browser

ASKED = Question("Will KMS answer?", ("Yes", f"No {HOSTILE}"), lambda said: f"kept: {said}")
TOLD = replace(OUTCOME, why=f"refused at its check root: SHA-256 {'7f' * 32}, expected {'64' * 32}")
STILL = {
    "attack": attack_card(OUTCOME),
    "attacks": attack_table([TOLD] * 3),
    "changes": changed(f'{{"PCR0": "{"a" * 96}"}}', f'{{"PCR0": "{"a" * 40}{"b" * 56}"}}'),
}


def still(page, model, theme="light"):
    """Draw the static form in the page, as a notebook without a kernel does."""
    page.set_content(
        f'<!doctype html><html lang=en><title>Card</title><body {THEMES[theme]}">'
        f'<main id="host">{View(model).html}</main>'
    )
    return page


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", [*STILL, "question"])
def test_axe_finds_nothing_serious_and_all_is_legible(page, show, require, name, theme):
    if name == "question":
        show(ASKED.view, theme=theme)
        page.get_by_text("Yes", exact=True).click()
        page.get_by_role("status").get_by_text("kept: Yes").wait_for()
    else:
        still(page, STILL[name], theme)
    worst = page.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    with_axe(page, require)
    assert serious(page) == []


@pytest.mark.parametrize("name", STILL)
def test_a_live_switch_to_dark_leaves_all_legible(page, name):
    still(page, STILL[name]).evaluate(
        "document.body.dataset.jpThemeLight = 'false'; document.body.style.background = '#111';"
        "document.body.style.setProperty('--jp-layout-color0', '#111')"
    )
    worst = page.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst


@pytest.mark.parametrize("name", STILL)
def test_six_hundred_pixels_are_enough(page, name):
    page.set_viewport_size({"width": 600, "height": 800})
    still(page, STILL[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
    # A card hides what does not fit: nothing of it may.
    assert page.evaluate("document.querySelector('.card').scrollWidth") <= 600


def test_one_answers_by_keyboard_and_is_told_what_the_kernel_says(show):
    page = show(ASKED.view)
    # An arrow that reached the notebook would leave the cell: one could choose the first alone.
    page.evaluate("document.addEventListener('keydown', (e) => { document.title += e.key; })")
    page.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.get_by_role("status").get_by_text("kept: Yes").wait_for()
    page.keyboard.press("ArrowDown")
    page.get_by_role("status").get_by_text("kept: No").wait_for()
    assert "Arrow" not in page.title()
    assert page.locator(".outcome").inner_text().startswith("kept: No")
    assert page.locator("img").count() == 0


def test_an_answer_to_one_question_takes_none_from_another(show):
    # A notebook draws each with a module of its own, into one page.
    groups = {show(ASKED.view).get_by_role("radio").first.get_attribute("name") for _ in "12"}
    assert len(groups) == 2


def test_a_line_is_kept_on_enter_and_no_key_of_it_reaches_the_notebook(show):
    kept = []
    page = show(Question("Why?", keep=lambda said: kept.append(said) or "kept").view)
    page.evaluate("document.addEventListener('keydown', (e) => { document.title += e.key; })")
    page.get_by_role("textbox", name="Why?").fill("no document")
    page.get_by_role("textbox").press("Enter")
    page.get_by_role("status").get_by_text("kept").wait_for()
    assert kept == ["no document"]
    assert page.title() == "Inspector"


def test_a_closed_question_shows_its_answer_and_takes_no_other(show):
    page = show(
        Question("Which?", ("this", "that"), answer="that", said="Marked", closed=True).view
    )
    assert page.get_by_role("radio", name="that").is_checked()
    assert page.get_by_role("radio", name="this").is_disabled()
    assert page.get_by_text("Marked").is_visible()
