"""Build hook: the notebooks travel in the wheel as they are committed, with their glossary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET = "nitro_workflow/notebooks"
"""Where they are in a wheel; `nitro_workflow.cli.notebook_files` reads them."""


class NotebookHook(BuildHookInterface):
    """Adds them; an editable installation has the repository's own."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell hatchling which files go where."""
        if version != "standard":
            return
        folder = Path(self.root, "notebooks")
        for path in sorted((*folder.glob("*.ipynb"), *folder.glob("*.md"))):
            build_data["force_include"][str(path)] = f"{TARGET}/{path.name}"
