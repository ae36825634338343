"""The page that `inspect --html` writes, and the drop page, in a real browser."""

from __future__ import annotations

import re
import threading

import pytest

from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.loopback_page import drop_server
from nitro_workflow.widgets.opened import Ask
from nitro_workflow.widgets.page_of_views import saved_page
from tests.conftest import VECTORS

pytestmark = pytest.mark.browser

REAL = VECTORS / "attestation" / "8e5652f3b009e620.bin"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page_is_live_and_asks_no_network(page, tmp_path, scheme):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme=scheme)
    (tmp_path / "it.html").write_text(saved_page([inspect(REAL, at="document")], title="it"))
    page.goto(f"file://{tmp_path}/it.html")
    page.get_by_role("tree", name="Fields").wait_for()
    page.get_by_role("treeitem").filter(has_text="digest").first.click()
    assert page.locator(".hexpane b.sl").count() == 14
    ground = page.locator(".card").evaluate("(card) => getComputedStyle(card).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 28)")
    assert [url for url in asked if not url.startswith("file://")] == []


@pytest.fixture
def dropped(page):
    """Return the page on which a document was dropped, and tried at its first byte."""
    address, serve, stop = drop_server(Ask(at="document"))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    page.goto(address)
    page.get_by_label("Text to inspect").fill(REAL.read_bytes().hex())
    page.get_by_role("button", name="Inspect the text").click()
    page.get_by_role("tree", name="Fields").wait_for()
    page.get_by_text("1 check breaks, 6 still pass").wait_for()
    yield page
    stop()
    thread.join()


def test_files_and_text_are_dropped_on_the_page(dropped):
    policy = VECTORS / "policies" / "eks_wallet.json"
    dropped.get_by_label("Files to inspect").set_input_files(policy)
    dropped.locator(".seen").nth(1).wait_for()
    assert "JSON with Statement" in dropped.locator(".seen").first.inner_text()
    dropped.get_by_role("button", name="Put away").first.click()
    assert dropped.locator(".seen").count() == 1


def test_a_question_waits_for_the_answer_to_the_one_before(dropped):
    """The server answers side by side: what was asked first could be shown last."""
    sent = []
    dropped.route("**/ask", lambda route: sent.append(route) if not sent else route.continue_())
    dropped.get_by_role("button", name="at its own time").click()
    dropped.get_by_role("button", name="now", exact=True).click()
    dropped.evaluate("fetch(location.href).then((page) => page.text())")
    assert len(sent) == 1
    sent[0].continue_()
    dropped.get_by_role("heading", name="The regional certificate has expired").wait_for()


def test_the_drop_zone_of_a_notebook_answers(show):
    page = show(inspect())
    page.get_by_label("Text to inspect").fill("hello, no form at all")
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name=re.compile("Not a form")).wait_for()
    assert "Text in UTF-8" in page.locator(".seen").inner_text()
