"""What runs now, in JupyterLab itself: below the cell, and in the map that was asked to run it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import jupyterlab, run_all, save

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
BELOW = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {root!r})
def until_it_was_seen(where):
    end = time.monotonic() + 60
    while not Path({seen!r}, where).exists() and time.monotonic() < end:
        time.sleep(0.05)
from nitro_workflow.lab import StepProgress
from nitro_workflow.lessons.progress_board import told_below_the_cell
lab = SimpleNamespace(progress=None, bench=SimpleNamespace(say=lambda words: None))
with told_below_the_cell(lab):
    lab.progress(StepProgress("P5", "running"))
    lab.bench.say("Root filesystem: wheels (2 of 4)")
    until_it_was_seen("below")
    lab.progress(StepProgress("P5", "done", 4.0))
"it has run"
"""
MAP = """
from nitro_workflow.widgets import View, make_workflow

def run(values):
    view.show(make_workflow({}.get, progress=StepProgress(values["step"], "running", 1.0), doing="wheels (2 of 4)"))
    until_it_was_seen("map")
    return make_workflow({}.get, progress=StepProgress(values["step"], "failed", 4.0), error="no disk. Next: make room")

view = View(make_workflow({}.get), answers={"run": run})
view
"""


# anywidget gives a model two seconds to begin, and hands it no message when they are over.
TOO_LATE = """
const timeout = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (ms) => timeout(ms === 2000 ? 0 : ms);
"""


@pytest.mark.parametrize("slow", [False, True])
def test_progress_is_seen_while_it_runs_and_nothing_stays_of_it(page, tmp_path, slow):
    if slow:
        page.add_init_script(TOO_LATE)
    told = tmp_path / "seen"
    told.mkdir()
    below = BELOW.format(root=str(ROOT), seen=str(told))
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in (below, MAP)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(metadata=metadata, cells=cells), folder / "run.ipynb")
    with jupyterlab(folder, tmp_path / "settings") as address:
        seen = []

        def saw(whole):
            seen.append(whole)
            if whole:
                (told / "below").touch()

        page.expose_function("saw", saw)
        page.add_init_script(
            "setInterval(() => { const text = document.querySelector('.jp-Notebook')?.innerText ?? ''; "
            "if (text.includes('Running P5 Inspect both applications')) window.saw(text.includes('wheels (2 of 4)')); }, 100)"
        )
        run_all(page, address, "run.ipynb")
        assert True in seen  # while the cell ran
        expect(page.get_by_text("Running P5")).to_have_count(0)

        page.get_by_role("button", name="P5, Inspect both applications: to do").first.click()
        page.get_by_role("button", name="Run P5").click()
        page.get_by_role("heading", name="P5 is running").wait_for(timeout=60_000)
        assert page.get_by_role("progressbar", name="Steps done").is_visible()
        (told / "map").touch()
        page.get_by_role("heading", name="P5 failed").wait_for(timeout=60_000)
        assert page.get_by_text("no disk. Next: make room").first.is_visible()

        saved = save(page, folder / "run.ipynb")
        kept = [out for out in saved.cells[0].outputs if out.get("data")]
        assert [out.data["text/plain"] for out in kept] == ["'it has run'"]
