"""The hex view in a real browser: any size, mouse and keyboard, one live region."""

from __future__ import annotations

import pytest

from nitro_workflow.widgets import View
from nitro_workflow.widgets.inspectors.bytes_model import make_bytes

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(show):
    return show(View(make_bytes(bytes(range(256)) * 200, name="<b>.bin", guesses=("a guess",))))


def test_only_the_rows_in_sight_exist(shown):
    assert shown.locator(".hexpane .r").count() < 60
    assert shown.get_by_role("grid").get_attribute("aria-rowcount") == "3200"


def test_bytes_are_walked_with_the_keyboard_and_announced(shown):
    shown.get_by_role("grid").focus()
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowDown")
    assert shown.get_by_role("status").inner_text() == "byte 17: 11"
    assert shown.locator(".hexpane b.cur").inner_text() == "11"
    shown.keyboard.press("Shift+ArrowRight")
    assert shown.locator(".hexpane b.sl").all_inner_texts() == ["11", "12"]
    shown.keyboard.press("Control+End")
    shown.locator(".hexpane b.cur", has_text="ff").wait_for()
    assert shown.get_by_role("status").inner_text() == "byte 51199: ff"


def test_a_click_selects_and_a_second_with_shift_extends(shown):
    shown.locator("[data-at='3']").first.click()
    shown.locator("[data-at='9']").first.click(modifiers=["Shift"])
    assert shown.locator(".hexpane b.sl").count() == 7
    assert shown.get_by_text("bytes 3–9 · 7 bytes").is_visible()


def test_the_last_column_is_not_hidden(shown):
    pane = shown.locator(".hexpane").bounding_box()
    letters = shown.locator(".hexpane .r .asc").first.bounding_box()
    assert letters["x"] + letters["width"] <= pane["x"] + pane["width"] - 10


def test_a_name_stays_text(shown):
    assert shown.get_by_text("<b>.bin").is_visible()
