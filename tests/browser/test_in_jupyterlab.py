"""Every inspector in JupyterLab and Notebook 7 themselves: no CDN, no build, no option of a server.

The notebook is a learner's own, on a server that knows nothing of this package.
"""

from __future__ import annotations

import re

import pytest

from tests.browser.every_inspector import CELLS, output_of, write_notebook
from tests.browser.jupyterlab import FACES, address_in, jupyterlab, run_all, save, shut_down_kernels

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    """Return the address of one server for all tests of this module."""
    with jupyterlab(folder, tmp_path_factory.mktemp("settings")) as address:
        yield address


# -- one interaction of each ---------------------------------------------------------------------


def _document(here):
    here.get_by_role("treeitem").filter(has_text="digest").first.click()
    assert here.locator(".hexpane b.sl").count() == 14


def _chain(here):
    here.get_by_role("button", name="a minute later").click()
    here.get_by_role("heading", name="The leaf is not valid at this time").wait_for()


def _pcrs(here):
    here.get_by_label("Path of an EIF").fill("missing.eif")
    here.get_by_role("button", name="Measure this EIF").click()
    here.get_by_text("No such file").wait_for()


def _policy(here):
    here.get_by_role("textbox", name="PCR0").first.fill("")
    here.get_by_role("heading", name="Denied: no attestation document").wait_for()


def _image(here):
    here.get_by_role("searchbox", name="Find a file in the application").fill("settings")
    here.get_by_text("rootfs/app/settings.toml").first.click()
    here.get_by_label("Text of rootfs/app/settings.toml").get_by_text("threshold = 5").wait_for()


def _message(here):
    here.get_by_role("treeitem").filter(has_text="frame length").click()
    assert "".join(here.locator(".hexpane b.sl").all_inner_texts()) == "00000400"


def _envelope(here):
    here.get_by_role("treeitem").nth(1).click()
    assert here.locator(".hexpane b.sl").count() > 0


def _trace(here):
    here.get_by_role("button", name="Step forward").click()
    assert here.locator(".msg[aria-pressed=true] .step").text_content() == "D2"


def _workflow(here):
    here.get_by_role("button", name="P3, Encrypt").click()
    here.get_by_text("P3 · Encrypt the records").wait_for()


def _enclave(here):
    here.get_by_role("button", name="Launch").click()
    here.get_by_role("heading", name=re.compile("^✓ 2 enclaves run|^✓ Two enclaves run")).wait_for()


def _log(here):
    here.get_by_role("table", name="Records").locator("tr[data-number]").last.click()
    here.get_by_role("heading", name="Denied: PCR0 is another image's").wait_for()


def _result(here):
    here.get_by_role("button", name="balance, sum").click()
    here.get_by_role("img", name="Bars of balance, sum").wait_for()


def _step_card(here):
    here.get_by_role("tab", name="AWS CLI").click()
    assert here.get_by_role("tabpanel").inner_text().startswith("aws kms generate-data-key")


USED = {
    "document": _document, "chain": _chain, "pcrs": _pcrs, "policy": _policy, "image": _image,
    "message": _message, "envelope": _envelope, "trace": _trace, "workflow": _workflow,
    "enclave": _enclave, "log": _log, "result": _result, "step_card": _step_card,
}  # fmt: skip


@pytest.mark.parametrize("face", FACES)
def test_every_inspector_is_live_and_the_next_day_all_is_there(lab, folder, page, face):
    elsewhere = []
    page.on("request", lambda asked: elsewhere.append(asked.url) if _leaves(asked.url) else None)
    assert USED.keys() == CELLS.keys()
    write_notebook(folder / "day.ipynb")
    run_all(page, lab, "day.ipynb", face)
    seen = _verdicts(page)
    for kind, use in USED.items():
        use(output_of(page, kind))
    saved = save(page, folder / "day.ipynb")
    kinds = {kind for cell in saved.cells for out in cell.outputs for kind in out.get("data", {})}
    assert kinds == {"text/plain", "text/html"}
    assert "widgets" not in saved.metadata

    shut_down_kernels(lab)
    page.goto("about:blank")
    page.goto(address_in(face, lab, "day.ipynb"))
    _require_static(page, seen)
    assert _trusted(page)

    run_all(page, lab, "day.ipynb", face)
    assert _verdicts(page) == seen
    assert elsewhere == []


# -- at somebody else's --------------------------------------------------------------------------


def test_on_a_server_that_does_not_trust_it_all_is_legible(lab, folder, page, tmp_path):
    """Signatures of trust stand in a server's data folder: a colleague's has none of them."""
    write_notebook(folder / "sent.ipynb")
    run_all(page, lab, "sent.ipynb")
    seen = _verdicts(page)
    save(page, folder / "sent.ipynb")
    with jupyterlab(folder, tmp_path / "colleague") as colleague:
        for face in FACES:
            page.goto("about:blank")
            page.goto(address_in(face, colleague, "sent.ipynb"))
            _require_static(page, seen)
            assert not _trusted(page)
            left = page.locator(".jp-RenderedHTMLCommon :is(style, svg, [style], [data-nw-view])")
            assert left.count() == 0


def _verdicts(page) -> dict[str, str]:
    """Return what each live form says; all of them are live."""
    seen = {}
    for kind in CELLS:
        live = output_of(page, kind).locator("[data-nw-live]")
        live.wait_for()
        seen[kind] = live.locator(".verdict").first.inner_text().split("\n")[-1]
    return seen


def _require_static(page, seen):
    """Hold that every output says the same where no kernel runs, as a static form."""
    page.locator(".jp-Notebook").wait_for()
    for kind, verdict in seen.items():
        here = output_of(page, kind)
        here.get_by_text(verdict).first.wait_for()
        assert "model not found" not in here.inner_text(), kind
        assert here.locator("[data-nw-live]").count() == 0, kind
        assert here.locator("table, ul, ol").count() > 0, kind


def _trusted(page) -> bool:
    cells = "[...jupyterapp.shell.currentWidget.content.model.cells].map((cell) => cell.trusted)"
    return page.evaluate(f"{cells}.every(Boolean)")


def test_a_kernel_that_ends_gives_the_static_form_back(lab, folder, page):
    write_notebook(folder / "end.ipynb", "document", "policy")
    run_all(page, lab, "end.ipynb")
    page.locator(".nw").first.get_by_role("tree", name="Fields").wait_for()
    _policy(page.locator(".nw").nth(1))
    page.evaluate("void jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    page.locator("section[data-nw-view]:not([data-nw-live])").first.wait_for()
    page.wait_for_function("document.querySelectorAll('[data-nw-live]').length === 0")
    assert page.get_by_role("textbox", name="PCR0").count() == 0
    assert page.get_by_text("Denied: PCR0 is another image's").first.is_visible()
    assert page.get_by_text("Valid at its own time").count() > 0


def _leaves(url: str) -> bool:
    return not url.startswith(
        ("http://127.0.0.1", "ws://127.0.0.1", "blob:", "data:", "http://localhost")
    )
