"""The commands' edges: sizes, folders, JupyterLab's end. What they do for real is in `test_rough`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import lab as commands
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.lab import Lab


@pytest.mark.parametrize(
    ("text", "size"), [("16MiB", 16 << 20), ("512 kib", 512 << 10), ("1048576", 1 << 20)]
)
def test_sizes(text: str, size: int) -> None:
    assert commands.SIZE.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["16 MB", "-1", "a lot", "1KB", "100", "9GiB"])
def test_what_is_no_size_is_a_usage_error(text: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(commands.walk, ["--lab", str(tmp_path), "--size", text])
    assert result.exit_code == 2
    assert "size" in result.output


def test_an_unknown_step_is_a_usage_error(lab: Lab) -> None:
    result = CliRunner().invoke(commands.step, ["X1", "--lab", str(lab.path)])
    assert isinstance(result.exception, UsageError)


def test_the_trace_of_nothing_says_what_to_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands.trace, ["--lab", str(tmp_path / "lab")])
    assert isinstance(result.exception, LabError)
    assert "walk" in result.exception.next


def test_status_starts_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands.status, ["--lab", str(tmp_path / "lab"), "--json"])
    found = json.loads(result.stdout)
    assert set(found["processes"].values()) == {"stopped"}
    assert set(found["steps"].values()) == {"not yet"}


def test_lab_needs_the_notebooks(tmp_path: Path) -> None:
    options = ["--lab", str(tmp_path / "lab"), "--notebooks", str(tmp_path)]
    result = CliRunner().invoke(commands.lab, options)
    assert isinstance(result.exception, LabError)
    assert "--notebooks" in result.exception.next


def test_lab_opens_the_first_notebook_and_stops_the_processes_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "00_first.ipynb").write_text("{}")
    seen: dict[str, object] = {}

    def run(command: list[str], environment: dict[str, str], folder: Path) -> int:
        opened = Lab.open(environment["NITRO_WORKFLOW_LAB"])
        opened.processes.up()
        seen.update(command=command, folder=folder)
        return 0

    monkeypatch.setattr(commands, "_run_until_end", run)
    options = ["--lab", str(tmp_path / "lab"), "--notebooks", str(tmp_path), "--", "--no-browser"]
    result = CliRunner().invoke(commands.lab, options)
    assert result.exit_code == 0, result.output
    command = seen["command"]
    assert isinstance(command, list)
    assert command[1:] == ["-m", "jupyterlab", str(tmp_path / "00_first.ipynb"), "--no-browser"]
    assert not any("token" in part for part in command), "JupyterLab's own token stays"
    states = Lab.open(tmp_path / "lab").processes.status()
    assert set(states.values()) == {"stopped"}
