"""One notebook of the course in a kernel: its cells run one by one, with other sources in places."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

from nitro_workflow.lessons import LESSONS

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


class CourseNotebook:
    """A notebook and, within `kernel`, what runs its cells; an exception in a cell ends the test."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.path = NOTEBOOKS / f"{LESSONS[number].file}.ipynb"
        self.cells = nbformat.read(self.path, as_version=4).cells
        self._client: NotebookClient | None = None

    @contextlib.contextmanager
    def kernel(self) -> Iterator[CourseNotebook]:
        """Have a fresh kernel, in a folder of its own: a notebook is to need nothing beside it."""
        notebook = nbformat.v4.new_notebook()
        with tempfile.TemporaryDirectory(prefix="nw-kernel-") as folder:
            # Ports are chosen and let go before the kernel takes them: beside another half of the
            # course, one may be gone by then.
            sockets = {"transport": "ipc", "ip": f"{folder}/kernel"}
            # What a kernel leaves is the lab's folder and processes: its end need not be waited for.
            client = NotebookClient(
                notebook, timeout=300, startup_timeout=300, kernel_name="python3",
                shutdown_kernel="immediate", config=Config({"KernelManager": sockets}),
            )  # fmt: skip
            client.reset_execution_trackers()
            with client.setup_kernel():
                self._client = client
                yield self
            self._client = None

    def code(self, begin: str = "", end: str = "") -> list[Any]:
        """Return the code cells, from the one named to the other named, both included."""
        ids = [cell.id for cell in self.cells]
        first = ids.index(begin) if begin else 0
        last = ids.index(end) if end else len(ids) - 1
        return [cell for cell in self.cells[first : last + 1] if cell.cell_type == "code"]

    def tagged(self, tag: str) -> list[Any]:
        """Return the cells with a tag."""
        return [cell for cell in self.cells if tag in cell.metadata.get("tags", [])]

    def run(self, source: str) -> str:
        """Execute a source and return its outputs as text; raises where the cell does."""
        assert self._client is not None
        cell = nbformat.v4.new_code_cell(source)
        self._client.nb.cells.append(cell)
        self._client.execute_cell(cell, len(self._client.nb.cells) - 1)
        return "\n".join(_text(output) for output in cell.outputs)

    def run_all(
        self, sources: Mapping[str, str] | None = None, answers: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        """Execute every code cell, with other sources by id; answer each prediction once asked."""
        said = {}
        for cell in self.code():
            said[cell.id] = self.run((sources or {}).get(cell.id, cell.source))
            for name, answer in (answers or {}).items():
                if re.search(rf'lesson\.predict\(\s*"{name}"', cell.source):
                    self.run(f"lesson.answer({name!r}, {answer!r})")
        return said


def kept(lab: Path, number: str) -> dict[str, Any]:
    """Return what the lab's folder keeps of a lesson; {} for nothing."""
    file = lab / "course" / f"{number}.json"
    return json.loads(file.read_text()) if file.exists() else {}


@contextlib.contextmanager
def own_lab(folder: Path) -> Iterator[Path]:
    """Have a lab of one's own for the kernels that are started inside; its processes end."""
    before = os.environ.get("NITRO_WORKFLOW_LAB")
    os.environ["NITRO_WORKFLOW_LAB"] = str(folder)
    try:
        yield folder
    finally:
        command = [sys.executable, "-m", "nitro_workflow.cli", "down"]
        subprocess.run(command, check=False, capture_output=True)
        if before is None:
            del os.environ["NITRO_WORKFLOW_LAB"]
        else:
            os.environ["NITRO_WORKFLOW_LAB"] = before


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    return str(output.get("data", {}).get("text/plain", ""))
