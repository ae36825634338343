"""Look at the built site in Chromium: nothing on a page is cut, and no page scrolls sideways.

``python tools/site_widths.py build/docs``, on a desk's and on a phone's width. What scrolls by
itself is no fault; but at a desk a table must fit. Exits 1 with a line for each fault.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import FLAGS, find_chromium  # noqa: E402

DESK, PHONE = 1300, 390  # pixels
PATIENCE_MS = 120_000  # for a page of the disk, whatever else the machine does
ARTICLE = 'class="bd-article"'

# An element is cut where it has more than it shows and does not scroll, or where it goes on beyond
# the article and nothing around it scrolls. Boxes of one pixel are for screen readers.
CUT = """(tablesFit) => {
  const article = document.querySelector(".bd-article");
  const edge = document.querySelector(".bd-article-container").getBoundingClientRect().right + 1;
  const overflow = (node) => getComputedStyle(node).overflowX;
  const scrolls = (node) => ["auto", "scroll"].includes(overflow(node))
    && !(tablesFit && node.matches(".pst-scrollable-table-container"));
  const inScroller = (node) =>
    node !== article && (scrolls(node) || inScroller(node.parentElement));
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) found.push(`scrolls sideways, ${root.scrollWidth}`);
  for (const node of article.querySelectorAll("*")) {
    const hides = overflow(node) !== "visible" && node.clientWidth > 1
      && node.scrollWidth > node.clientWidth + 1;
    if (!hides && node.getBoundingClientRect().right <= edge) continue;
    if (inScroller(node)) continue;
    found.push(`is cut: ${node.localName} ${node.textContent.trim().slice(0, 60)}`);
  }
  return found;
}"""


def faults(site: Path, page: Page) -> Iterator[str]:
    """Open each page of the site in turn and return a line for what is cut at either width."""
    for path in pages_of(site):
        page.goto(path.resolve().as_uri())
        page.evaluate("document.fonts.ready")  # other letters have other widths
        for width in (DESK, PHONE):
            page.set_viewport_size({"width": width, "height": 900})
            for fault in page.evaluate(CUT, width == DESK):
                yield f"{path.relative_to(site)}, {width} pixels: {' '.join(fault.split())}"


def pages_of(site: Path) -> list[Path]:
    """Return the pages with an article: the start page only leads on, the search's is empty."""
    return [path for path in sorted(site.rglob("*.html")) if ARTICLE in path.read_text()]


def main() -> None:
    """Look at the site that is named."""
    site = Path(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        found = list(faults(site, page))
        browser.close()
    print(*found, sep="\n", end="\n" if found else "")
    pages = len(pages_of(site))
    print(f"{pages} pages at {DESK} and {PHONE} pixels, {len(found)} faults")
    sys.exit(1 if found or not pages else 0)


if __name__ == "__main__":
    main()
