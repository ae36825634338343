"""What `make docs-widths` finds on a page of the site, and what it lets be."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang=en><title>Page</title><body style="margin: 0; overflow-x: {body}">
<div class="bd-article-container" style="max-width: 640px"><article class="bd-article">{said}</article></div>"""
WIDE = "<table style='width: 700px'><tr><td>so wide</td></tr></table>"
TABLE = f"<div class=pst-scrollable-table-container style='overflow-x: auto'>{WIDE}</div>"
CODE = f"<div style='overflow-x: auto'>{WIDE}</div>"
CARD = "<p style='overflow: hidden; width: 90px; white-space: nowrap'>words that are hidden from all</p>"
LONG = "<code style='white-space: nowrap'>" + "a_long_name" * 6 + "</code>"


@pytest.fixture
def found(tmp_path, page, monkeypatch):
    """Return what is found on a page, as pairs of a width and the beginning of what is said."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "tools"))
    from site_widths import faults

    def look(said, body="visible"):
        (tmp_path / "a.html").write_text(PAGE.format(said=said, body=body))
        (tmp_path / "index.html").write_text("<meta http-equiv=refresh content='0; url=nowhere'>")
        lines = [
            line.removeprefix("a.html, ").partition(" pixels: ") for line in faults(tmp_path, page)
        ]
        return sorted({(int(width), said.split(":")[0]) for width, _, said in lines})

    return look


@pytest.mark.parametrize("said", ["<p>words</p>", CODE, "<span style='display: none'>no</span>"])
def test_what_fits_or_scrolls_by_itself_is_no_fault(found, said):
    assert found(said) == []


def test_a_table_scrolls_on_a_phone_alone(found):
    assert found(TABLE) == [(1300, "is cut")]


def test_text_that_its_box_hides_is_found(found):
    assert found(CARD) == [(390, "is cut"), (1300, "is cut")]


def test_what_the_page_cuts_is_found(found):
    assert (390, "is cut") in found(LONG, body="hidden")


def test_a_page_that_scrolls_sideways_is_found(found):
    assert (390, "scrolls sideways, 700") in found(WIDE)
