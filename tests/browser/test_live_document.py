"""The document inspector in a real browser: fields and bytes as one, by mouse and by keyboard."""

from __future__ import annotations

import pytest

from nitro_workflow.widgets.inspecting import inspect
from tests.browser.settled import settled
from tests.conftest import VECTORS

pytestmark = pytest.mark.browser

REAL = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()


@pytest.fixture
def shown(show):
    return show(inspect(REAL, at="document"))


# Of the questions from now on, only the first is answered.
FIRST_ALONE = """() => {
  let asked = 0;
  Object.defineProperty(window, "held", { get: () => asked++ && new Promise(() => {}) });
}"""


def _selected(page):
    return page.locator(".bc .at").inner_text()


def test_a_field_shows_its_bytes_and_a_byte_its_field(shown):
    shown.get_by_role("treeitem").filter(has_text="digest").first.click()
    assert _selected(shown) == "bytes 62–75 · 14 long"
    assert shown.locator(".hexpane b.sl").count() == 14
    shown.locator(".hexpane b[data-at='120']").click()
    item = shown.locator('[role="treeitem"][aria-selected="true"]')
    assert item.inner_text().startswith("[0]")
    assert [one.inner_text() for one in shown.locator(".bc li").all()] == [
        "document",
        "payload",
        "pcrs",
        "[0]",
    ]
    assert "byte 120 is" in shown.get_by_role("status").inner_text()


def test_hovering_lights_the_counterpart(shown):
    shown.get_by_role("treeitem").filter(has_text="digest").first.hover()
    assert shown.locator(".hexpane b.hv").count() == 14
    shown.locator(".hexpane b[data-at='20']").hover()
    assert shown.locator(".tree li.hv").inner_text().startswith("module_id")


def test_all_of_it_by_keyboard(shown):
    tree = shown.get_by_role("tree", name="Fields")
    tree.locator('[aria-selected="true"]').focus()
    # Letters count as one word where they follow within 800 ms: on a busy machine they would not.
    shown.clock.set_fixed_time("2026-01-01T00:00:00Z")
    shown.keyboard.type("cab")
    assert shown.locator('[aria-selected="true"]').inner_text().startswith("cabundle")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        shown.keyboard.press(key)
    assert (
        shown.locator('[role="treeitem"][aria-selected="true"]').get_attribute("aria-level") == "4"
    )
    shown.keyboard.press("ArrowLeft")
    shown.get_by_role("grid").focus()
    shown.keyboard.press("Control+Home")
    shown.keyboard.press("ArrowRight")
    assert _selected(shown) == "bytes 1–1 · 1 long"
    shown.keyboard.press("Enter")
    assert _selected(shown) == "bytes 1–5 · 5 long"
    assert shown.evaluate("document.activeElement.getAttribute('role')") == "treeitem"


def test_nested_viewers_open_to_an_extension(shown):
    for name in ("certificate", "what is signed", "extensions"):
        row = shown.get_by_role("treeitem").filter(has_text=name).first
        row.click()
        if row.get_attribute("aria-expanded") == "false":
            shown.keyboard.press("ArrowRight")
    row = shown.get_by_role("treeitem").filter(has_text="basic constraints").first
    row.click()
    path = [one.inner_text() for one in shown.locator(".bc li").all()]
    assert path[-4:] == ["certificate", "what is signed", "extensions", "basic constraints"]


def test_a_check_leads_to_its_bytes(shown):
    shown.get_by_role("button", name="root: passed").click()
    assert _selected(shown) == "bytes 1635–2170 · 536 long"
    assert shown.locator(".said").is_visible()
    shown.get_by_role("button", name="Show all twelve").click()
    assert shown.get_by_role("table", name="The twelve checks").locator("tbody tr").count() == 12


def test_changing_a_byte_asks_python(shown):
    shown.locator(".hexpane b[data-at='120']").click()
    shown.get_by_text("1 check breaks, 6 still pass. The document is refused.").wait_for()
    assert shown.locator(".br b").inner_text() == "signature"
    shown.get_by_label("New value of the byte, two hex digits").fill("ab")
    shown.locator(".mini").wait_for()
    shown.get_by_role("button", name="flip bit 7").click()
    assert shown.get_by_label("New value of the byte, two hex digits").input_value() == "2b"


def test_it_is_judged_at_another_time(shown):
    shown.get_by_role("button", name="now", exact=True).click()
    shown.get_by_role("heading", name="The regional certificate has expired").wait_for()
    shown.get_by_role("button", name="at its own time").click()
    shown.get_by_role("heading", name="Valid at its own time").wait_for()
    assert "Valid at its own time" in shown.get_by_role("status").inner_text()


def test_every_byte_is_flipped_on_demand(shown):
    shown.get_by_label("not asked yet").wait_for(state="detached")
    shown.evaluate(FIRST_ALONE)  # it goes on until it is stopped
    shown.get_by_role("button", name="Flip every byte").click()
    shown.get_by_text("none passed unnoticed").wait_for()
    shown.get_by_role("button", name="Stop").click()
    assert shown.locator(".lanes12 path.hit").first.get_attribute("d").startswith("M0 0")


def test_where_nobody_answers_nothing_is_offered(show):
    page = show(inspect(REAL, at="document"), answers=False)
    assert page.get_by_role("button", name="Flip every byte").count() == 0
    assert page.get_by_text("Changing a byte needs Python").is_visible()


def test_a_selection_makes_nothing_anew_but_the_rows_in_sight(shown):
    """A document has thousands of elements: who makes them again at each step is slow."""
    made = shown.evaluate(
        """() => {
          const seen = new MutationObserver(() => {});
          seen.observe(document.getElementById("host"), { childList: true, subtree: true });
          return [...document.querySelectorAll("[role=treeitem]")].slice(0, 20).map((item) => {
            item.click();
            return seen.takeRecords().reduce((sum, one) => sum + one.addedNodes.length, 0);
          });
        }"""
    )
    assert 0 < max(made) < 60


def test_six_hundred_pixels_are_enough(shown):
    shown.set_viewport_size({"width": 600, "height": 800})
    assert settled(shown).evaluate("document.documentElement.scrollWidth") <= 600
