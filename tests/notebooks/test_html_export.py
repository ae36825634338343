"""The notebooks as HTML, as one hands them on: no picture is missing, no script is needed to read."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbconvert import HTMLExporter

FOLDER = Path(__file__).parents[2] / "notebooks"


class Page(HTMLParser):
    """What a page shows of pictures, and where its own links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self.pictures.append(given)
        elif tag == "a":
            self.links.append(given.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_as_html_lacks_nothing(path: Path) -> None:
    exporter = HTMLExporter(template_name="basic")  # the cells alone: the frame is nbconvert's own
    whole, resources = exporter.from_filename(str(path))
    page = Page()
    page.feed(whole)
    assert not resources["outputs"], "pictures beside the page would be left behind"
    for picture in page.pictures:
        assert (picture.get("src") or "").startswith("data:"), picture
        assert picture.get("alt"), picture
    for link in page.links:
        own = not link.startswith(("http", "#", "mailto"))
        assert not own or (FOLDER / link.partition("#")[0]).exists(), link
    assert "model not found" not in page.text
