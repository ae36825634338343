"""Messages and envelopes in a real browser: one selection for tree and bytes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitro_workflow.cms import seal_envelope
from nitro_workflow.widgets import View, make_envelope, make_message
from tests.browser.accessibility import serious, with_axe
from tests.widgets.forms import HOSTILE
from tests.widgets.test_sealed_forms import CONTEXT, encrypted

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def message():
    return View(
        make_message(
            encrypted(), expected_context={**CONTEXT, "version": "2"}, name="customers.csv.esdk"
        )
    )


@pytest.fixture(scope="module")
def sealed():
    key = rsa.generate_private_key(65537, 2048).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return View(make_envelope(seal_envelope(bytes(32), spki), public_keys={"the document": spki}))


def chosen(page):
    return "".join(page.locator(".hexpane b.sl").all_inner_texts())


def test_a_field_selects_its_bytes(show, message):
    page = show(message)
    page.get_by_role("treeitem").filter(has_text="frame length").click()
    assert chosen(page) == "00000400"
    assert "1,024 bytes" in page.get_by_role("status").inner_text()


def test_a_byte_selects_its_field(show, message):
    page = show(message)
    page.locator("[data-at='1']").first.click()
    assert (
        page.locator("[role=treeitem][aria-selected=true]")
        .inner_text()
        .startswith("algorithm suite")
    )
    assert chosen(page) == "0478"


def test_the_keyboard_alone_walks_fields_and_bytes(show, message):
    page = show(message)
    page.get_by_role("treeitem").first.focus()
    page.keyboard.press("ArrowDown")
    assert chosen(page) == "02"
    page.keyboard.type("com")
    assert page.locator("[role=treeitem][aria-selected=true]").inner_text().startswith("commitment")
    page.get_by_role("grid").focus()
    page.keyboard.press("Control+Home")
    assert page.locator("[role=treeitem][aria-selected=true]").inner_text().startswith("version")


def test_the_context_beside_the_policys(show, message):
    page = show(message)
    table = page.get_by_role("table", name="Encryption context")
    assert table.get_by_role("row").filter(has_text="version").get_by_text("✗ differs").is_visible()
    assert page.get_by_role(
        "heading", name="The encryption context is not the policy's: version"
    ).is_visible()


def test_parts_are_to_scale(show, message):
    page = show(message)
    parts = page.evaluate("[...document.querySelectorAll('svg.scale')[0].children].map((n) => Number(n.getAttribute('width')))")  # fmt: skip
    total = message.model.total
    assert parts == pytest.approx(
        [100 * part.size / total for part in message.model.parts], abs=0.01
    )


def test_an_envelopes_fields_and_the_key_that_opens_it(show, sealed):
    page = show(sealed)
    assert page.get_by_role("heading", name="Sealed to the key of the document").is_visible()
    page.get_by_role("treeitem").filter(has_text="subjectKeyIdentifier").click()
    assert chosen(page) == sealed.model.key.hex


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["message", "sealed"])
def test_axe_finds_nothing_serious(show, name, theme, require, request):
    page = show(request.getfixturevalue(name), theme=theme)
    with_axe(page, require)
    assert serious(page) == []


@pytest.mark.parametrize("name", ["message", "sealed"])
def test_a_narrow_cell_needs_no_sideways_scrolling(show, name, request):
    page = show(request.getfixturevalue(name))
    page.set_viewport_size({"width": 600, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


def test_what_a_header_says_stays_text(show):
    page = show(View(make_message(encrypted(context={HOSTILE: HOSTILE}), name=HOSTILE)))
    assert page.locator("#host img, #host script").count() == 0
