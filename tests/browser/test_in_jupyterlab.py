"""The inspector in JupyterLab itself: no CDN, no build, drawn by the kernel's own widget."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.browser.jupyterlab import (
    TOKEN,
    jupyterlab,
    run_all,
    save,
    shut_down_kernels,
)

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CODE = """
import sys
sys.path.insert(0, {root!r})
from nitro_workflow.widgets import View
from tests.widgets.models import INSPECTION
view = View(INSPECTION)
view
"""
WHAT_IF = """
from tests.widgets.inspectors.policy_cases import inquiry
asked = inquiry()
View(asked.model({}), answers={"decide": asked.answer})
"""


@pytest.fixture
def lab(tmp_path):
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
        cells=[
            nbformat.v4.new_code_cell(CODE.format(root=str(ROOT)).strip()),
            nbformat.v4.new_code_cell(WHAT_IF.strip()),
        ],
    )
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(notebook, folder / "look.ipynb")
    with jupyterlab(folder, tmp_path / "settings") as address:
        yield address


def test_views_are_live_and_no_request_leaves_the_machine(lab, page):
    elsewhere = []
    page.on(
        "request", lambda request: elsewhere.append(request.url) if _leaves(request.url) else None
    )
    run_all(page, lab, "look.ipynb")
    inspector = page.locator(".nw").first
    inspector.get_by_role("heading", name="Attestation document").wait_for(timeout=30_000)
    inspector.get_by_text("digest").click()
    assert inspector.locator(".hexrow .on").count() == 10

    what_if = page.locator(".nw").nth(1)
    what_if.get_by_role("textbox", name="PCR0").fill("")
    what_if.get_by_text("Denied: no attestation document").first.wait_for(timeout=10_000)
    assert elsewhere == []


def test_a_notebook_that_is_opened_the_next_day_shows_what_was_seen(lab, page, tmp_path):
    run_all(page, lab, "look.ipynb")
    first = page.locator(".nw").first
    first.get_by_role("heading", name="Attestation document").wait_for(timeout=30_000)
    saved = save(page, tmp_path / "notebooks" / "look.ipynb")
    kinds = {kind for cell in saved.cells for out in cell.outputs for kind in out.get("data", {})}
    assert kinds == {"text/plain", "text/html"}

    _require_static(lab, page)
    saved.cells[0].source += "\n# by somebody whom this server does not trust"
    nbformat.write(saved, tmp_path / "notebooks" / "look.ipynb")
    _require_static(lab, page)

    run_all(page, lab, "look.ipynb")
    page.locator(".nw").first.get_by_role("tree", name="Fields").wait_for(timeout=30_000)


def _require_static(lab, page):
    shut_down_kernels(lab)
    page.goto("about:blank")
    page.goto(f"{lab}/tree/look.ipynb?token={TOKEN}&reset")
    page.locator(".jp-OutputArea").get_by_text("Attestation document").first.wait_for()
    page.get_by_text("✗ fails").first.wait_for()
    assert page.get_by_text("model not found").count() == 0
    assert page.locator("[data-nw-live]").count() == 0


def test_a_kernel_that_ends_gives_the_static_form_back(lab, page):
    run_all(page, lab, "look.ipynb")
    page.locator(".nw").first.get_by_role("tree", name="Fields").wait_for(timeout=30_000)
    page.locator(".nw").nth(1).get_by_role("textbox", name="PCR0").fill("")
    page.get_by_text("Denied: no attestation document").first.wait_for(timeout=10_000)
    page.evaluate("void jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    page.locator("section[data-nw-view]:not([data-nw-live])").first.wait_for(timeout=30_000)
    page.wait_for_function("document.querySelectorAll('[data-nw-live]').length === 0")
    assert page.get_by_role("textbox", name="PCR0").count() == 0
    assert page.get_by_text("Denied: PCR0 is another image's").first.is_visible()
    assert page.get_by_text("Attestation document").count() > 0


def _leaves(url: str) -> bool:
    return not url.startswith(
        ("http://127.0.0.1", "ws://127.0.0.1", "blob:", "data:", "http://localhost")
    )
