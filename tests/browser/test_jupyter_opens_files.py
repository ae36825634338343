"""A double-click on a file in JupyterLab: the inspector, in a frame that cannot reach JupyterLab."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import TOKEN, jupyterlab
from tests.browser.settled import settled
from tests.conftest import VECTORS
from tests.widgets.inspectors.image_cases import write_eif

pytestmark = pytest.mark.browser

DOCUMENT = VECTORS / "attestation" / "8e5652f3b009e620.bin"
OPENED = {
    "app.eif": "Whole: CRC and section table hold",
    "document.cbor": "The regional certificate has expired",
    "message.cose": "The regional certificate has expired",
    "attestation_doc.bin": "The regional certificate has expired",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_eif(folder / "app.eif", many=20_000)
    for name in ("document.cbor", "message.cose", "attestation_doc.bin", "any.bin"):
        shutil.copy(DOCUMENT, folder / name)
    return folder


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    with jupyterlab(folder, tmp_path_factory.mktemp("settings")) as address:
        yield address


@pytest.fixture
def files(lab, page):
    """Show the folder in JupyterLab; returns what finds a file in it."""
    page.goto(f"{lab}?token={TOKEN}&reset")
    page.wait_for_function("globalThis.jupyterapp?.isPluginActivated('nitro-workflow:inspector')")
    return lambda name: page.locator(".jp-DirListing-item", has_text=name)


def _frame(page, name):
    return page.frame_locator(f"iframe[title='Inspector: {name}']")


def test_a_double_click_opens_the_inspector(files, page):
    contents = []
    page.on(
        "response",
        lambda answer: contents.append(answer.url) if "content=1" in answer.url else None,
    )
    for name, verdict in OPENED.items():
        files(name).dblclick()
        _frame(page, name).get_by_role("heading", name=verdict).wait_for(timeout=60_000)
    # An image has hundreds of megabytes: none of them comes to the browser.
    assert not [url for url in contents if any(f"/{name}?" in url for name in OPENED)]


def test_its_script_runs_and_cannot_reach_jupyterlab(files, page):
    files("document.cbor").dblclick()
    here = _frame(page, "document.cbor")
    here.get_by_role("treeitem").filter(has_text="digest").first.click(timeout=60_000)
    assert here.locator(".hexpane b.sl").count() == 14
    frame = here.locator("html").element_handle().owner_frame()
    assert frame.evaluate("origin") == "null"
    with pytest.raises(Exception, match=r"cross-origin|Blocked a frame"):
        frame.evaluate("parent.document.title")
    with pytest.raises(Exception, match=r"Failed to fetch|Content Security Policy"):
        frame.evaluate(f"fetch({page.url!r})")


def test_it_follows_the_theme_of_jupyterlab(files, page):
    files("app.eif").dblclick()
    for theme, ground in (("Dark", "rgb(15, 17, 20)"), ("Light", "rgb(255, 255, 255)")):
        page.evaluate(
            f"void jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})"
        )
        body = _frame(page, "app.eif").locator(f"html[data-theme={theme.lower()}] body")
        body.locator(".verdict").first.wait_for(timeout=60_000)
        assert body.evaluate("body => getComputedStyle(body).backgroundColor") == ground


def test_every_other_file_is_opened_with_it_on_demand(files, page):
    """What JupyterLab fills *Open With* from, and what a choice there runs."""
    expect(files("any.bin")).to_have_count(1)
    names = page.evaluate(
        "jupyterapp.docRegistry.preferredWidgetFactories('any.bin').map((one) => one.name)"
    )
    assert names == ["Editor", "Nitro inspector"]  # the first is what a double-click takes
    chosen = "{ path: 'any.bin', factory: 'Nitro inspector' }"
    page.evaluate(f"void jupyterapp.commands.execute('docmanager:open', {chosen})")
    verdict = _frame(page, "any.bin").get_by_role("heading", name="The regional certificate")
    verdict.wait_for(timeout=60_000)


def test_it_is_read_again_when_it_is_reloaded(files, page, folder):
    shutil.copy(DOCUMENT, folder / "again.cbor")
    files("again.cbor").dblclick()
    _frame(page, "again.cbor").get_by_role("heading", name="The regional certificate").wait_for(
        timeout=60_000
    )
    (folder / "again.cbor").write_bytes(b"no document at all")
    page.evaluate("void jupyterapp.commands.execute('docmanager:reload')")
    _frame(page, "again.cbor").get_by_text("Not a form this package knows").first.wait_for(
        timeout=60_000
    )


def test_of_two_readings_the_later_one_stays(files, page, folder):
    file = folder / "twice.cbor"
    shutil.copy(DOCUMENT, file)
    files("twice.cbor").dblclick()
    _frame(page, "twice.cbor").get_by_role("heading", name="The regional certificate").wait_for()
    sent = []
    asked = "**/nitro-workflow/page?**"
    page.route(asked, lambda route: sent.append(route) if not sent else route.continue_())
    file.touch()
    with page.expect_request(asked):
        page.evaluate("void jupyterapp.commands.execute('docmanager:reload')")
    file.write_bytes(b"no document at all")
    page.evaluate("void jupyterapp.commands.execute('docmanager:reload')")
    later = _frame(page, "twice.cbor").get_by_text("Not a form this package knows").first
    later.wait_for()
    with page.expect_event("requestfinished", lambda request: "page?" in request.url):
        sent[0].fulfill(json={"page": "<html lang=en><body>what was there before</body></html>"})
    settled(page)
    assert later.is_visible()


def test_what_the_server_refuses_is_told(files, page):
    refusal = {"message": "found: a <b>file</b> that cannot be read"}
    page.route("**/nitro-workflow/page?**", lambda route: route.fulfill(status=400, json=refusal))
    files("document.cbor").dblclick()
    page.get_by_role("alert").get_by_text(refusal["message"]).wait_for(timeout=60_000)
