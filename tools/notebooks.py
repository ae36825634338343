"""Execute every notebook in order in a clean lab and write its outputs back in a stable form.

Committed outputs hold static forms only; which live view they belonged to is dropped.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
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
    """Return the notebook with what varies between runs taken out."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{number:02d}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
        if cell.cell_type == "code":
            # Where progress stood while the cell ran, an output without content is left.
            told = [output for output in cell.outputs if output.get("data", True)]
            cell.outputs = [settle_output(output) for output in told]
    counts = iter(range(1, len(notebook.cells) + 1))
    for cell in notebook.cells:
        if cell.cell_type == "code":
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


def main() -> None:
    """Execute the notebooks named, or all of them."""
    names = sys.argv[1:] or sorted(str(path) for path in (ROOT / "notebooks").glob("*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="nitro-notebooks-") as folder:
        os.environ["NITRO_WORKFLOW_LAB"] = str(Path(folder) / "lab")
        try:
            for name in names:
                print(Path(name).name, flush=True)
                execute(Path(name).resolve())
        finally:
            command = [sys.executable, "-m", "nitro_workflow.cli", "down"]
            subprocess.run(command, check=False)


if __name__ == "__main__":
    main()
