"""Document, chain, bytes and the drop zone: axe-core, contrast, a live switch of theme, hostile texts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from nitro_workflow.widgets import inspect
from tests.browser.accessibility import CONTRAST, serious, with_axe
from tests.conftest import VECTORS

pytestmark = pytest.mark.browser

REAL = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()
FLIPPED = REAL[:120] + bytes([REAL[120] ^ 1]) + REAL[121:]
HOSTILE = "<img src=x onerror=alert(1)>\u202e"
VIEWS = {
    "document": lambda: inspect(REAL, at="document"),
    "refused": lambda: inspect(FLIPPED),
    "chain": lambda: inspect(REAL, at="document").chain,
    "bytes": lambda: inspect(f"no form {HOSTILE}"),
    "drop": inspect,
}


def drawn(page):
    """Wait until a document has told what breaks where its first byte changes."""
    expect(page.get_by_label("not asked yet")).to_have_count(0)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_serious(show, require, name, theme):
    page = drawn(show(VIEWS[name](), theme=theme))
    with_axe(page, require)
    assert serious(page) == []


@pytest.mark.parametrize("name", VIEWS)
def test_labels_stay_readable_when_the_theme_is_switched(show, name):
    page = drawn(show(VIEWS[name]()))
    page.evaluate(
        "document.body.dataset.jpThemeLight = 'false';"
        "document.body.style.background = '#111';"
        "document.body.style.setProperty('--jp-layout-color0', '#111')"
    )
    worst = page.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst


def test_an_attackers_text_stays_text(show):
    page = show(inspect(f"no form {HOSTILE}"))
    assert page.locator("img").count() == 0


def test_a_document_with_a_hostile_name_stays_text(show):
    evil = REAL.replace(
        b"i-06fb0bf4e70d5129f-enc019a5376999041b1",
        b"<img src=x onerror=alert(1)>\xe2\x80\xaexxxxxxxx",
        1,
    )
    page = show(inspect(evil, at="document"))
    assert page.locator("img").count() == 0
    assert "\u202e" not in page.locator("body").inner_text()
