"""The inspector in JupyterLab itself: no CDN, no build, drawn by the kernel's own widget."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.browser.jupyterlab import jupyterlab, run_all

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CODE = """
import sys
sys.path.insert(0, {root!r})
from nitro_workflow.widgets import View
from tests.widgets.models import DECISION, INSPECTION
view = View(INSPECTION)
view
"""
WHAT_IF = """
import dataclasses
View(DECISION, what_if=lambda edits: dataclasses.replace(DECISION, verdict=", ".join(edits.values())))
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
    what_if.get_by_label("kms:RecipientAttestation:PCR0").fill("asked again")
    what_if.get_by_role("button", name="Decide again").click()
    what_if.get_by_text("asked again").first.wait_for(timeout=10_000)
    assert elsewhere == []


def _leaves(url: str) -> bool:
    return not url.startswith(
        ("http://127.0.0.1", "ws://127.0.0.1", "blob:", "data:", "http://localhost")
    )
