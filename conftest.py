"""A clean lab for whatever pytest runs here, the notebooks included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Give the notebooks a clean lab of their own: nbval's kernels inherit it."""
    folder = tempfile.mkdtemp(prefix="nitro-test-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["NITRO_WORKFLOW_LAB"] = str(Path(folder) / "lab")


def pytest_sessionfinish() -> None:
    """Stop the background processes of the notebooks' lab."""
    if Path(os.environ["NITRO_WORKFLOW_LAB"]).exists():
        command = [sys.executable, "-m", "nitro_workflow.cli", "down"]
        subprocess.run(command, check=False, capture_output=True)
