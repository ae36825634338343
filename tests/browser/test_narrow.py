"""Every inspector at 600 pixels: nothing scrolls sideways, no text is cut, live and without script.

At 310, a cell beside an open sidebar or on a phone, drawings scroll by themselves and can be read.
"""

from __future__ import annotations

import ast

import pytest

from nitro_workflow.widgets import View
from tests.browser.conftest import THEMES
from tests.browser.every_inspector import BEGIN, CELLS
from tests.browser.settled import settled

pytestmark = pytest.mark.browser

# Opens all that folds: the details, and every branch of a tree.
UNFOLD = """() => {
  for (const fold of document.querySelectorAll("#host details")) fold.open = true;
  for (let at = 0, turned; at < 400; at++) {
    turned = document.querySelector("#host .tree [aria-expanded=false] .tw");
    if (!turned) break;
    turned.click();
  }
}"""
# What a reader would have to scroll sideways for, or could not read at all. Told only to a screen
# reader is what stands in a box of one pixel; a field of a form follows its cursor.
OUT_OF_SIGHT = """() => {
  const wide = document.documentElement.clientWidth;
  const found = [];
  const told = (node, why) => found.push(`${why}: ${node.className.baseVal ?? node.className} ${node.textContent.trim().slice(0, 60)}`);
  for (const node of document.querySelectorAll("#host *")) {
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    if (node.matches("input, select, textarea") || !box.width || node.clientWidth === 1) continue;
    if (style.overflowX !== "visible" && node.clientWidth && node.scrollWidth > node.clientWidth + 1) told(node, "overflows");
    if (box.right > wide + 1 || box.left < -1) told(node, "beyond the page");
    if (!node.matches("svg text")) continue;
    const drawing = node.closest("svg");
    const frame = drawing.getBoundingClientRect();
    if (box.right > frame.right + 1 || box.left < frame.left - 1) told(node, "cut by its drawing");
    if (parseFloat(style.fontSize) * (frame.width / drawing.viewBox.baseVal.width || 1) < 10) told(node, "too small");
  }
  return [...new Set(found)];
}"""


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """Return every inspector's view, by kind: what the notebook of all inspectors shows."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("inspectors"))
        names: dict = {}
        exec(BEGIN, names)
        for kind, cell in CELLS.items():
            *before, last = ast.parse(cell).body
            exec(compile(ast.Module(before, []), kind, "exec"), names)
            made[kind] = eval(compile(ast.Expression(last.value), kind, "eval"), names)
        yield made


def narrow(page):
    page.set_viewport_size({"width": 600, "height": 900})
    page.evaluate("document.body.style.margin = '8px'")
    page.evaluate(UNFOLD)
    return settled(page).evaluate(OUT_OF_SIGHT)


@pytest.mark.parametrize("kind", CELLS)
def test_six_hundred_pixels_show_all_of_it(views, show, kind):
    assert narrow(show(views[kind])) == []


@pytest.mark.parametrize("kind", CELLS)
def test_six_hundred_pixels_are_enough_without_a_script(views, page, kind):
    page.set_content(
        f'<!doctype html><html lang=en><title>Card</title><body {THEMES["light"]}">'
        f'<main id="host">{View(views[kind].model).html}</main>'
    )
    assert narrow(page) == []


# The smallest letters of the drawings, in pixels; 0 where a drawing's end cannot be scrolled to.
LETTERS = """() => Math.min(...[...document.querySelectorAll("#host svg text")].map((node) => {
  const drawing = node.closest("svg");
  const wide = drawing.getBoundingClientRect().width;
  if (drawing.parentElement.scrollWidth < wide || getComputedStyle(drawing.parentElement).overflowX !== "auto") return 0;
  return parseFloat(getComputedStyle(node).fontSize) * wide / drawing.viewBox.baseVal.width;
}))"""


@pytest.mark.parametrize("scripted", [True, False], ids=["live", "without a script"])
@pytest.mark.parametrize("kind", ["chain", "image", "pcrs", "result", "trace"])
def test_three_hundred_pixels_leave_a_drawing_its_letters(views, show, page, kind, scripted):
    if scripted:
        show(views[kind])
    else:
        page.set_content(
            f'<!doctype html><html lang=en><title>Card</title><body {THEMES["light"]}">'
            f'<main id="host">{View(views[kind].model).html}</main>'
        )
    page.set_viewport_size({"width": 310, "height": 900})
    page.evaluate("document.body.style.margin = '0'")
    page.evaluate(UNFOLD)
    assert page.evaluate(LETTERS) >= 10


def test_what_does_not_fit_is_found(page):
    page.set_content(
        "<!doctype html><body><main id=host><p class=cut style='overflow:hidden;width:90px;"
        "white-space:nowrap'>a text of more than ninety pixels</p><p class=out style='white-space:"
        "nowrap'>" + "a text that goes on beyond the page " * 9 + "</p></main>"
    )
    found = narrow(page)
    assert any(one.startswith("overflows: cut") for one in found)
    page.set_content("<!doctype html><body><main id=host><p>short</p></main>")
    assert narrow(page) == []
