"""The second application walks all 17 steps on booted machines, too: same class, same answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import cli
from nitro_workflow.errors import HostError
from nitro_workflow.host import installed_blobs
from nitro_workflow.host.qemu.qemu_program import find_qemu
from nitro_workflow.lab import STEPS, Lab
from tests.lab.test_own_application import EXAMPLE, expected

pytestmark = pytest.mark.interop


def test_all_17_steps_in_qemu(tmp_path, require):
    try:
        find_qemu()
        installed_blobs()
    except HostError as error:
        require("qemu", False, error.next)
    folder = tmp_path / "lab"
    try:
        done = CliRunner().invoke(
            cli,
            ["walk", "--json", "--lab", str(folder), "--host", "qemu", "--app", str(EXAMPLE)],
        )
    finally:
        Lab.open(folder).down()
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0, done.stdout[-2000:]
    assert [one["step"] for one in results] == [step.number for step in STEPS]
    letters = Path(EXAMPLE, "letters.txt").read_text()
    assert results[-1]["evidence"]["answer"] == expected(letters)
