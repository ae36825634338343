"""The live inspector in a real browser: keyboard, roles, themes, and hostile texts."""

from __future__ import annotations

import pytest

from nitro_workflow.widgets.drawing import visible
from tests.widgets.models import ALL, HOSTILE, INSPECTION, TABLE

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("model", ALL, ids=lambda model: model.kind)
def test_draws_with_enough_contrast(inspect, model, dark):
    page = inspect(model, dark=dark)
    assert page.get_by_role("heading", name=model.title).is_visible()
    worst = page.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst


def test_the_tree_is_walked_with_the_keyboard(inspect):
    page = inspect(INSPECTION)
    tree = page.get_by_role("tree", name="Fields")
    tree.get_by_role("treeitem").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("saved.selection") == [8, 20]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert tree.get_by_role("treeitem").filter(has_text="payload").first.get_attribute("aria-expanded") == "false"  # fmt: skip
    page.keyboard.press("Home")
    assert page.evaluate("saved.selection") == [1, 6]


def test_a_selected_field_shows_its_bytes(inspect):
    page = inspect(INSPECTION)
    page.get_by_text("digest").click()
    marked = page.locator(".hexrow .on").all_inner_texts()
    assert [text.strip() for text in marked] == [f"{byte:02x}" for byte in range(20, 30)]
    assert page.locator("[aria-live]").inner_text() == "digest, bytes 20 to 30"


def test_an_attackers_text_stays_text(inspect):
    page = inspect(INSPECTION)
    assert page.locator("img").count() == 0
    assert page.get_by_text(visible(HOSTILE)).count() == 1


def test_the_first_difference_is_marked_in_words_too(inspect):
    page = inspect(TABLE)
    mark = page.locator("mark")
    assert mark.inner_text() == "cd" * 28
    assert mark.get_attribute("title") == "differs from here"


def test_a_narrow_window_needs_no_sideways_scrolling_of_the_page(inspect):
    page = inspect(TABLE)
    page.set_viewport_size({"width": 600, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


# The lowest contrast ratio (WCAG 2) between any text and the ground it stands on.
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, k, i) => {
    const v = c[i] / 255; return sum + k * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const c = rgb(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255,255,255]; };
  let worst = { ratio: 21 };
  for (const node of document.querySelectorAll("#host *")) {
    if (![...node.childNodes].some((kid) => kid.nodeType === 3 && kid.textContent.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: node.textContent.slice(0, 60) };
  }
  return worst;
}"""
