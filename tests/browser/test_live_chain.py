"""The chain inspector in a real browser: the time is dragged, and walked with the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from nitro_workflow.widgets.inspecting import inspect
from tests.conftest import VECTORS

pytestmark = pytest.mark.browser

REAL = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()
OTHER = (VECTORS / "attestation" / "a71ebbd2380c1457.bin").read_bytes()


@pytest.fixture
def shown(show):
    return show(inspect(REAL, at="document").chain)


def test_named_times(shown):
    assert shown.get_by_role("heading", name="Every link holds at this time").is_visible()
    shown.get_by_role("button", name="a minute later").click()
    assert shown.get_by_role("heading", name="The leaf is not valid at this time").is_visible()
    assert shown.locator(".life.bad").count() == 1
    assert "Leaf expired 1 minute before" in shown.get_by_role("status").inner_text()
    shown.get_by_role("button", name="a year later").click()
    assert shown.locator(".life.bad").count() == 4


def test_the_time_is_dragged(shown):
    box = shown.locator(".axis").bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] - 5, box["y"] + 80)
    shown.mouse.up()
    assert "204" in shown.get_by_role("slider").get_attribute("aria-valuetext")
    assert shown.locator(".life.bad").count() == 4


def test_the_time_is_walked_with_the_keyboard(shown):
    slider = shown.get_by_role("slider")
    before = slider.get_attribute("aria-valuetext")
    slider.focus()
    shown.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") > before
    shown.keyboard.press("Home")
    assert shown.locator(".life.bad").count() == 4
    assert "Leaf begins" in shown.get_by_role("status").inner_text()


def test_another_chain_is_compared(shown):
    shown.get_by_text("Compare with another chain").click()
    shown.get_by_role("textbox").fill(OTHER.hex())
    shown.get_by_role("button", name="Compare", exact=True).click()
    table = shown.get_by_role("table", name="Both chains")
    expect(table.locator("tbody tr")).to_have_count(5)
    assert table.get_by_text("identical ×2").first.is_visible()


def test_six_hundred_pixels_are_enough(shown):
    shown.set_viewport_size({"width": 600, "height": 800})
    assert shown.evaluate("document.documentElement.scrollWidth") <= 600
