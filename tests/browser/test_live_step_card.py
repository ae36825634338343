"""A step's card in a real browser: tabs by arrows, copy, the bytes opened in place."""

from __future__ import annotations

import dataclasses

import pytest

from nitro_workflow.widgets import View, make_step
from nitro_workflow.widgets.inspectors.bytes_model import make_bytes
from tests.browser.accessibility import serious, with_axe
from tests.widgets.forms import HOSTILE
from tests.widgets.test_step_card import RESULT

pytestmark = pytest.mark.browser


@pytest.fixture
def view():
    asked = []

    def open_it(values):
        asked.append(values["name"])
        return make_bytes(b"\x84\x44" * 40, name=values["name"])

    model = make_step(RESULT, done=("P1",), openable=[("data-key", "the encrypted data key")])
    made = View(model, answers={"open": open_it})
    made.asked = asked
    return made


def test_the_refused_call_is_shown_first_and_tabs_follow_the_arrows(show, view):
    page = show(view)
    assert (
        page.get_by_role("button", name="kms:GenerateDataKey").first.get_attribute("aria-pressed")
        == "true"
    )
    tabs = page.get_by_role("tab")
    assert tabs.all_inner_texts() == ["boto3", "AWS CLI", "Request", "Answer"]
    tabs.first.focus()
    for name, begins in (
        ("AWS CLI", "aws kms generate-data-key"),
        ("Request", "POST / HTTP/1.1"),
        ("Answer", "HTTP/1.1 200"),
    ):
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("tab", selected=True).inner_text() == name
        assert page.get_by_role("tabpanel", name=name).inner_text().startswith(begins)
    page.keyboard.press("Home")
    assert page.get_by_role("tabpanel").inner_text().startswith("kms.generate_data_key(")
    assert page.locator("[role=tab][tabindex='0']").count() == 1


def test_another_call_is_chosen_with_the_keyboard(show, view):
    page = show(view)
    page.get_by_role("button", name="kms:GenerateDataKey").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert (
        page.get_by_role("status").inner_text()
        == "kms:GenerateDataKey · data owner: answered in 25 ms"
    )
    assert page.get_by_text("Secrets are cut, lengths kept.").is_visible()


def test_what_is_shown_is_what_is_copied(show, view):
    page = show(view)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { window.copied = text; } } })")  # fmt: skip
    page.get_by_role("tab", name="AWS CLI").click()
    page.get_by_role("button", name="Copy").click()
    page.wait_for_function("window.copied !== undefined")
    assert page.evaluate("window.copied") == page.get_by_role("tabpanel").inner_text()


def test_the_bytes_are_opened_in_place(show, view):
    page = show(view)
    page.get_by_role("button", name="Open: the encrypted data key").click()
    page.get_by_role("grid").wait_for()
    assert view.asked == ["data-key"]
    assert page.get_by_text("Bytes · 80 bytes · data-key").is_visible()


def test_where_nobody_answers_nothing_is_offered(show, view):
    page = show(view, answers=False)
    assert page.get_by_role("button", name="Open:").count() == 0
    assert page.get_by_role("tab").count() == 4


def test_the_strip_names_this_step(show, view):
    page = show(view)
    assert page.locator("[aria-current=step]").inner_text().startswith("P2")
    assert page.get_by_role("list", name="The 17 steps").get_by_role("listitem").count() == 17


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, view, theme, require):
    page = show(view, theme=theme)
    with_axe(page, require)
    assert serious(page) == []


def test_a_narrow_cell_needs_no_sideways_scrolling(show, view):
    page = show(view)
    page.set_viewport_size({"width": 600, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


def test_what_was_recorded_stays_text(show):
    bad = {**RESULT.calls[0], "party": HOSTILE, "parameters": {HOSTILE: HOSTILE}, "error": HOSTILE}
    record = dataclasses.replace(
        RESULT, calls=(bad,), notes=(HOSTILE,), evidence={"basis": HOSTILE}
    )
    page = show(View(make_step(record)))
    assert page.locator("#host img, #host script").count() == 0
    assert page.get_by_text("<img src=x").count() >= 3
