"""PCRs side by side in a real browser: the cases, copying, measuring, narrow and dark."""

from __future__ import annotations

import pytest

from nitro_workflow.widgets import View, make_pcrs, pcr_answers
from tests.browser.accessibility import serious, with_axe
from tests.widgets.inspectors.policy_cases import GOOD, HOSTILE, OTHER

pytestmark = pytest.mark.browser
COLUMNS = {"document": OTHER, "image": GOOD, "policy": GOOD}


def view(columns=COLUMNS):
    return View(make_pcrs(columns), answers=pcr_answers(columns))


def test_it_is_a_table_with_folded_cells(show):
    page = show(view())
    table = page.get_by_role("table", name="PCRs, as it is")
    assert table.get_by_role("rowheader").all_inner_texts()[0].startswith("✗ PCR0 differs")
    assert table.locator("td[colspan='3']").count() == 2
    assert table.get_by_text("identical ×3").count() == 2
    pairs = zip(OTHER["PCR0"], GOOD["PCR0"], strict=True)
    assert table.locator("mark").first.inner_text() == next(a for a, b in pairs if a != b)


def test_equal_digests_have_equal_pictures(show):
    page = show(view({"document": GOOD, "image": {}, "policy": GOOD}))
    row = page.get_by_role("row").filter(has_text="PCR0").first
    one, other = (pic.inner_html() for pic in row.locator("svg.pic").all())
    assert one == other


def test_the_debug_twin_is_a_case_reached_by_keyboard(show):
    page = show(view())
    page.get_by_role("button", name="As it is").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.get_by_role("heading", name="would not pass").is_visible()
    assert "would not pass" in page.locator(".live > .sr").inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.get_by_role("heading", name="PCR0 and PCR2 differ").is_visible()


def test_a_file_that_is_no_image_is_refused_in_words(show, tmp_path):
    page = show(view())
    page.get_by_label("Path of an EIF").fill(str(tmp_path / "missing.eif"))
    page.get_by_role("button", name="Measure this EIF").click()
    page.get_by_text("No such file").wait_for()
    assert page.get_by_role("heading", name="PCR0 and PCR2 differ").is_visible()


def test_nobody_is_asked_where_nobody_answers(show):
    page = show(view(), answers=False)
    assert page.get_by_text("Measure an image").count() == 0


def test_an_attackers_texts_stay_text(show):
    page = show(view({HOSTILE: {0: HOSTILE}, "image": GOOD}))
    assert page.locator("img").count() == 0
    assert page.get_by_text("\\u202e").first.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, require, theme):
    page = show(view(), theme=theme)
    with_axe(page, require)
    assert serious(page) == []


def test_six_hundred_pixels_are_enough(show):
    page = show(view())
    page.set_viewport_size({"width": 600, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


def test_a_live_switch_of_theme_changes_the_colours(show):
    page = show(view())
    ink = "getComputedStyle(document.querySelector('.card')).color"
    light = page.evaluate(ink)
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert page.evaluate(ink) != light
