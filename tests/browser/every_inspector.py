"""A notebook with every inspector in it, each drawn by a kernel from what the other tests draw."""

from __future__ import annotations

from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]

BEGIN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from nitro_workflow.widgets import *
from nitro_workflow.widgets.samples import sample
from tests.widgets import test_walk_forms as walk
from tests.widgets.inspectors.policy_cases import GOOD, OTHER, inquiry
"""
CELLS = {
    "document": 'document = inspect(sample("attested.log"), at="document")\ndocument',
    "chain": "document.chain",
    "pcrs": 'pcrs = {"document": OTHER, "image": GOOD, "policy": GOOD}\n'
    "View(make_pcrs(pcrs), answers=pcr_answers(pcrs))",
    "policy": 'asked = inquiry()\nView(asked.model({}), answers={"decide": asked.answer})',
    "image": "from tests.widgets.inspectors.image_cases import write_eif\n"
    'inspect(write_eif(Path("an.eif")))',
    "message": "from tests.widgets.test_sealed_forms import encrypted\n"
    'View(make_message(encrypted(), name="customers.csv.esdk"))',
    "envelope": f'inspect(Path({str(ROOT)!r}, "tests/vectors/cms/aws_sdk_c_0/envelope.ber"))',
    "trace": "from tests.widgets.test_trace_forms import DATA, WALK\n"
    "View(make_trace(WALK, contents={}, known=[DATA]))",
    "workflow": "View(make_workflow(walk.RESULTS.get), answers={})",
    "enclave": "View(make_enclaves([walk.ENCLAVE]),\n"
    '     answers={"launch": lambda asked: make_enclaves([walk.ENCLAVE, walk.ENCLAVE])})',
    "log": "from nitro_workflow.widgets.inspectors.log_model import log_answers, make_log\n"
    "from tests.widgets.inspectors.log_cases import record\n"
    "records = [record(1), record(2)]\n"
    "View(make_log(records), answers=log_answers(records))",
    "result": 'View(make_result(walk.RESULT, receipt="verified"))',
    "step_card": "from tests.widgets.test_step_card import RESULT\n"
    'View(make_step(RESULT, done=("P1",)))',
}
"""By kind; the message and the envelope are one line of the issue's table, and two forms."""


def write_notebook(path: Path, *kinds: str) -> None:
    """Write the notebook, with these kinds in it or with all."""
    texts = [BEGIN.strip(), *(CELLS[kind] for kind in kinds or CELLS)]
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
        cells=[nbformat.v4.new_code_cell(text) for text in texts],
    )
    nbformat.write(notebook, path)


def output_of(page, kind: str, *kinds: str):
    """Return the output of a kind's cell, drawn: a long notebook draws what is in sight."""
    at = 1 + list(kinds or CELLS).index(kind)
    page.evaluate(
        "at => { const book = jupyterapp.shell.currentWidget.content;"
        " book.activeCellIndex = at; return book.scrollToItem(at, 'start'); }",
        at,
    )
    cell = page.locator(f".jp-Cell[data-windowed-list-index='{at}']")
    cell.locator(".jp-OutputArea").first.wait_for()
    return cell.locator(".jp-OutputArea").first
