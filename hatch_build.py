"""Build hook: the notebooks travel in the wheel twice, cleared for learners and with outputs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET = "nitro_workflow/notebooks"
"""Below it `cleared/` and `with_outputs/`; `nitro_workflow.cli.notebook_files` reads them."""


def cleared(text: str) -> str:
    """Return a notebook's JSON without outputs and counts."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


class NotebookHook(BuildHookInterface):
    """Adds both forms to a wheel; an editable installation has the repository's own."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell hatchling which files go where."""
        if version != "standard":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="nw-")
        for path in sorted(Path(self.root, "notebooks").glob("*.ipynb")):
            plain = Path(self._folder.name, path.name)
            plain.write_text(cleared(path.read_text(encoding="utf-8")), encoding="utf-8")
            build_data["force_include"][str(path)] = f"{TARGET}/with_outputs/{path.name}"
            build_data["force_include"][str(plain)] = f"{TARGET}/cleared/{path.name}"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Take the cleared ones away again."""
        if version == "standard":
            self._folder.cleanup()
