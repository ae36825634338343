"""Execute notebooks in order in a clean lab and write their outputs back in a stable form.

::

    tools/notebooks.py                 all of them, one after another, in one lab
    tools/notebooks.py --only 08 10    these alone, in a lab where the lessons before are done
    tools/notebooks.py --glossary      write notebooks/glossary.md from the table of words

Committed outputs hold static forms only; which live view they belonged to is dropped.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from nitro_workflow.lab import Lab
from nitro_workflow.lessons import LESSONS, glossary_page

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
LIVE = re.compile(r' data-nw-view="[0-9a-f-]{36}"')
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> None:
    """Run one notebook from its own folder and write it back."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}})
    client.execute()
    path.write_text(nbformat.writes(settle(notebook)) + "\n")


def settle(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook with what varies between runs taken out; cells keep their names."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    counts = iter(range(1, len(notebook.cells) + 1))
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
        if cell.cell_type == "code":
            # Where progress stood while the cell ran, an output without content is left.
            told = [output for output in cell.outputs if output.get("data", True)]
            cell.outputs = [settle_output(output) for output in told]
            cell.execution_count = next(counts)
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = cell.execution_count
    return notebook


def settle_output(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return one output without the name of its live form."""
    if "data" in output:
        if "text/html" in output.data:
            output.data["text/html"] = LIVE.sub("", output.data["text/html"])
        output.metadata = nbformat.from_dict({})
    return output


def stand_before(number: str) -> None:
    """Run the steps of the lessons before this one, where they are missing."""
    steps = [step for name, plan in LESSONS.items() if name < number for step in plan.steps]
    lab = Lab.open()
    for step in steps:
        lab.ensure(step)


def main() -> None:
    """Execute what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NN", choices=LESSONS, help="these lessons")
    parser.add_argument("--glossary", action="store_true", help="write glossary.md and end")
    given = parser.parse_args()
    if given.glossary:
        (NOTEBOOKS / "glossary.md").write_text(glossary_page())
        return
    with tempfile.TemporaryDirectory(prefix="nitro-notebooks-") as folder:
        os.environ["NITRO_WORKFLOW_LAB"] = str(Path(folder) / "lab")
        try:
            for number in given.only or ():
                stand_before(number)
                execute_named(f"{LESSONS[number].file}.ipynb")
            for path in sorted(NOTEBOOKS.glob("*.ipynb")) if not given.only else ():
                execute_named(path.name)
        finally:
            command = [sys.executable, "-m", "nitro_workflow.cli", "down"]
            subprocess.run(command, check=False)


def execute_named(name: str) -> None:
    """Say which notebook runs, and run it."""
    print(name, flush=True)
    execute(NOTEBOOKS / name)


if __name__ == "__main__":
    main()
