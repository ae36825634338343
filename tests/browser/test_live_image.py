"""An image in a real browser: map and table as one, files on demand, another image beside it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from nitro_workflow.widgets import View
from nitro_workflow.widgets.inspectors.image_answers import image_answers
from nitro_workflow.widgets.inspectors.image_model import make_image
from tests.browser.accessibility import serious, with_axe
from tests.browser.settled import settled
from tests.widgets.inspectors.image_cases import write_eif

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(show, tmp_path):
    path = write_eif(tmp_path / "a.eif", many=2_000)
    page = show(View(make_image(path), answers=image_answers(path, name="a.eif")))
    page.get_by_role("treeitem", name="rootfs").first.wait_for()
    return page


def said(page):
    return page.locator(".live > .sr").inner_text()


def files(page):
    return page.get_by_role("tree", name="Files of the application ramdisk")


def test_map_and_table_select_together(shown):
    shown.locator("[data-pick='section-1']").click()
    row = shown.get_by_role("row", name="command line")
    assert row.get_attribute("aria-selected") == "true"
    assert "change one byte and PCR0 and PCR1 change" in said(shown)
    shown.keyboard.press("ArrowDown")
    assert shown.get_by_role("row", name="metadata").get_attribute("aria-selected") == "true"
    assert "on" in shown.locator("[data-pick='section-2']").get_attribute("class").split()
    assert "in no PCR" in said(shown)


def test_a_section_shows_its_bytes(shown):
    shown.locator("[data-pick='section-1']").click()
    shown.get_by_text("its bytes").click()
    shown.get_by_role("grid", name="Bytes of command line").get_by_text(
        "71", exact=True
    ).first.wait_for()


def test_files_are_walked_by_keyboard_and_only_rows_in_sight_exist(shown):
    tree = files(shown)
    tree.focus()
    shown.keyboard.press("r")
    shown.keyboard.press("ArrowRight")
    tree.get_by_role("treeitem", name="usr").wait_for()
    shown.keyboard.press("End")
    shown.keyboard.press("ArrowRight")
    tree.get_by_role("treeitem", name="lib").wait_for()
    shown.keyboard.press("End")
    shown.keyboard.press("ArrowRight")
    tree.get_by_text("00003.py").wait_for()
    shown.keyboard.press("End")
    tree.get_by_text("link").first.wait_for()
    assert tree.get_by_role("treeitem").count() < 60
    expect(shown.locator(".live > .sr")).to_contain_text("rootfs/usr/lib/link")


def test_a_search_finds_and_enter_opens(shown):
    shown.get_by_role("searchbox", name="Find a file in the application ramdisk").fill("settings")
    tree = files(shown)
    tree.get_by_text("rootfs/app/settings.toml").wait_for()
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("Enter")
    shown.get_by_label("Text of rootfs/app/settings.toml").wait_for()
    assert "threshold = 5" in shown.get_by_label("Text of rootfs/app/settings.toml").inner_text()


def test_a_hostile_name_stays_text(shown):
    shown.get_by_role("searchbox", name="Find a file in the application ramdisk").fill("onerror")
    files(shown).get_by_text("\\u202e").first.wait_for()
    assert shown.locator("img").count() == 0


def test_another_image_is_compared(shown, tmp_path):
    other = write_eif(tmp_path / "b.eif", settings=b"threshold = 1\nname = 'a'\n", many=2_000)
    shown.get_by_label("Path of another image").fill(str(other))
    shown.get_by_role("button", name="Compare").click()
    shown.get_by_role("heading", name="PCR0 and PCR2 differ").wait_for()
    assert shown.locator(".diff .ins").inner_text().strip() == "+threshold = 1"
    assert shown.get_by_text("refuses B").first.is_visible()


def test_a_path_that_is_none_is_refused_in_words(shown):
    shown.get_by_label("Path of another image").fill("/nowhere.eif")
    shown.get_by_role("button", name="Compare").click()
    shown.get_by_text("No such file").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, require, tmp_path, theme):
    path = write_eif(tmp_path / "a.eif")
    page = show(View(make_image(path), answers=image_answers(path)), theme=theme)
    with_axe(settled(page), require)
    assert serious(page) == []


def test_six_hundred_pixels_are_enough(shown):
    shown.set_viewport_size({"width": 600, "height": 900})
    assert shown.evaluate("document.documentElement.scrollWidth") <= 600
