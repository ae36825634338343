"""A decision in a real browser: every edit is decided by Python, and what flipped stays marked."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from nitro_workflow.widgets import View
from tests.browser.accessibility import serious, with_axe
from tests.widgets.inspectors.policy_cases import GOOD, HOSTILE, OTHER, inquiry, key_policy

pytestmark = pytest.mark.browser


def view(pcrs=OTHER, document=None):
    asked = inquiry(pcrs, document)
    return View(asked.model({}), answers={"decide": asked.answer})


def field(page, name):
    return page.get_by_role("textbox", name=name).first


def verdict(page, text):
    page.get_by_role("heading", name=text).wait_for()


def test_each_edit_is_decided_again_as_one_types(show):
    page = show(view())
    verdict(page, "Denied: PCR0 is another image's")
    field(page, "PCR0").fill(GOOD["PCR0"])
    verdict(page, "Denied: PCR2 is another image's")
    assert page.get_by_text("flipped", exact=True).count() >= 3
    assert "no longer applies" in page.locator(".live > .sr").inner_text()
    field(page, "PCR2").fill(GOOD["PCR2"])
    verdict(page, "Allowed")
    field(page, "dataset").press("End")
    page.keyboard.type("!")
    verdict(page, "Denied: another encryption context")
    assert field(page, "dataset").input_value() == "customers!"


def test_what_flipped_stays_marked_while_one_types_on(show):
    page = show(view(GOOD))
    field(page, "version").fill("12")
    verdict(page, "Denied: another encryption context")
    page.keyboard.type("34")
    page.get_by_role("treeitem", name="DecryptInsideTheEnclave").get_by_text("1234").wait_for()
    assert page.locator(".check", has_text="version").locator(".flip").count() == 1


def test_an_empty_pcr0_and_none_both_mean_no_document(show):
    page = show(view(GOOD))
    field(page, "PCR0").fill("")
    verdict(page, "Denied: no attestation document")
    page.get_by_role("button", name="Reset").click()
    verdict(page, "Allowed")
    assert field(page, "PCR0").input_value() == GOOD["PCR0"]
    page.get_by_role("button", name="none").click()
    verdict(page, "Denied: no attestation document")


def test_a_reset_holds_though_an_answer_is_on_its_way(show):
    page = show(view(GOOD))
    page.evaluate("() => { window.held = new Promise((done) => { window.release = done; }); }")
    field(page, "PCR0").fill("hello")
    page.get_by_role("button", name="Reset").click()
    page.evaluate("release()")
    expect(field(page, "PCR0")).to_have_value(GOOD["PCR0"])
    verdict(page, "Allowed")


def test_hello_is_no_pcr(show):
    page = show(view(GOOD))
    field(page, "PCR0").fill("hello")
    verdict(page, "Not decided: PCR0 is not a PCR")
    assert field(page, "PCR0").get_attribute("aria-invalid") == "true"
    assert page.get_by_text("“h” is not a hex digit").first.is_visible()


def test_the_answer_whose_request_is_shown_is_marked_and_aws_words_stand_beside_ours(show):
    page = show(view(GOOD))
    tiles = page.get_by_role("group", name="The three answers of this policy").locator(".tile")
    assert page.locator(".tile[aria-current=true]").count() == 0
    tiles.nth(2).get_by_role("button").click()
    tiles.nth(2).get_by_text("its request is shown").wait_for()
    assert page.locator(".tile[aria-current=true]").count() == 1
    page.get_by_text("AWS would say").wait_for()
    assert "with an explicit deny in a resource-based policy" in page.locator(".said").inner_text()
    field(page, "version").fill("9")
    page.locator(".tile[aria-current=true]").wait_for(state="detached")


def test_each_answer_shows_its_request(show):
    page = show(view(GOOD))
    found = ("Denied: no attestation document", "Denied: PCR0 is another image's",
             "Denied: the enclave runs in debug mode")  # fmt: skip
    for at, text in enumerate(found):
        page.get_by_role("button", name="Show such a request").nth(at).click()
        verdict(page, text)
    assert set(field(page, "PCR0").input_value()) == {"0"}


def test_the_policy_is_edited_too(show):
    page = show(view())
    page.get_by_text("edit it, and decide again").click()
    text = page.get_by_label("The key policy, JSON")
    text.fill(text.input_value().replace(OTHER["PCR0"], "").replace(GOOD["PCR0"], OTHER["PCR0"]))
    verdict(page, "Denied: PCR2 is another image's")
    assert page.locator(".diff .ins").count() == page.locator(".diff .del").count() == 2
    text.fill("{")
    verdict(page, "Not decided")


def test_the_statements_are_a_tree_for_the_keyboard(show):
    page = show(view())
    page.get_by_role("treeitem").first.focus()
    on = "document.activeElement.dataset.name"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(on) == "PCR0"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(on) == "NoDecryptOutside"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"
    page.keyboard.press("o")
    assert page.evaluate(on) == "OwnerAdministers"
    page.keyboard.press("Home")
    assert page.evaluate(on) == "NoDecryptOutside"
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_what_is_gone_leaves_nothing_to_edit(show):
    page = show(view(), answers=False)
    assert page.get_by_role("textbox").count() == 0
    assert page.get_by_role("heading", name="Denied").is_visible()


def test_an_attackers_texts_stay_text(show):
    document = key_policy()
    document["Statement"][0]["Sid"] = "Sid"
    page = show(view(document=document))
    page.get_by_role("combobox", name="Principal").fill(HOSTILE)
    verdict(page, "Not decided")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, require, theme):
    page = show(view(), theme=theme)
    with_axe(page, require)
    assert serious(page) == []
    field(page, "PCR0").fill(GOOD["PCR0"])
    verdict(page, "Denied: PCR2")
    page.get_by_text("edit it, and decide again").click()
    assert serious(page) == []


def test_six_hundred_pixels_are_enough(show):
    page = show(view())
    page.set_viewport_size({"width": 600, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
    for text in page.locator(".ways code").all_inner_texts():
        assert "111122223333" in text or "444455556666" in text
