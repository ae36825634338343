"""Check the built site: every link and anchor leads somewhere, and nothing is loaded from outside.

``python tools/site_links.py build/docs``. No network is used: an external link must stand in
``docs/pages.txt`` or in the notebooks' list, where somebody put it after opening it. Exits 1 with
a line for each fault.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
LISTS = (ROOT / "docs" / "pages.txt", ROOT / "tests" / "notebooks" / "pages.txt")
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
"""Element → attribute whose address a browser fetches by itself; ``link`` does so by its rel."""


@dataclass
class Page(HTMLParser):
    """What one page links to, loads, and can be linked at."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's addresses and names."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("href"):
            self.loads.append(values["href"])
        elif values.get(LOADS.get(tag, "")):
            self.loads.append(values[LOADS[tag]])


@cache
def page_at(path: Path) -> Page:
    """Read a page."""
    page = Page()
    page.feed(path.read_text())
    return page


def faults(site: Path, allowed: frozenset[str]) -> Iterator[str]:
    """Return a line for each link that leads nowhere and each thing that is fetched."""
    site, met = site.resolve(), set()
    for path in sorted(site.rglob("*.html")):
        where = path.relative_to(site)
        page = page_at(path)
        for link in page.loads:
            if _is_external(link):
                yield f"{where}: is loaded from outside: {link}"
        for link in page.links:
            if _is_external(link):
                met.add(link)
            elif fault := _leads_nowhere(site, path, link):
                yield f"{where}: {fault}: {link}"
    for path in sorted(site.rglob("*.css")):
        for link in re.findall(
            r"""(?:@import|url\()\s*["']?((?:https?:)?//[^"')]+)""", path.read_text()
        ):
            yield f"{path.relative_to(site)}: is loaded from outside: {link}"
    yield from (f"is in no list of pages: {link}" for link in sorted(met - allowed))


def _is_external(link: str) -> bool:
    return bool(urlsplit(link).netloc)


def _leads_nowhere(site: Path, page: Path, link: str) -> str:
    """Return what is wrong with an internal link; nothing, where it leads somewhere."""
    parts = urlsplit(link)
    if parts.scheme:
        return "is no page" if parts.scheme not in ("mailto", "data") else ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(site) or not target.is_file():
        return "leads nowhere"
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in page_at(target).anchors:
        return "has no such anchor"
    return ""


def main() -> None:
    """Check the site that is named."""
    allowed = frozenset(line for path in LISTS for line in path.read_text().split())
    found = list(faults(Path(sys.argv[1]), allowed))
    print(*found, sep="\n", end="\n" if found else "")
    pages = len(list(Path(sys.argv[1]).rglob("*.html")))
    print(f"{pages} pages, {len(found)} faults")
    sys.exit(1 if found or not pages else 0)


if __name__ == "__main__":
    main()
