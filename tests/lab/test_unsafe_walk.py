"""The walk where user namespaces are forbidden, for whoever asked for that by its unsafe name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import lab_state
from nitro_workflow.cli import workflow as commands
from nitro_workflow.lab import STEPS, Lab


def test_all_seventeen_steps_are_done_and_each_face_says_that_nothing_is_sandboxed(
    fresh: Lab,
    one_rehearsal: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NITRO_WORKFLOW_UNSAFE_WITHOUT_SANDBOX", "1")
    options = ["--lab", str(fresh.path), "--size", "100KiB"]
    with one_rehearsal():
        walk = CliRunner().invoke(commands.walk, options)
    assert walk.exit_code == 0, walk.output
    assert f"{len(STEPS)} of {len(STEPS)} steps done" in walk.stdout
    assert "NOT SANDBOXED" in walk.stdout
    assert "NOT SANDBOXED" in CliRunner().invoke(lab_state.status, options[:2]).stdout
