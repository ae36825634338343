"""What the README shows of the table of steps and of the command is what they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_readme_is_up_to_date():
    command = [sys.executable, "tools/readme.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_first_commands_of_the_readme_are_targets_of_the_makefile():
    block = (ROOT / "README.md").read_text().split("```")[1]
    targets = [line.split()[1] for line in block.strip().splitlines()]
    assert targets == ["lab", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}: setup" in makefile for target in targets)


def test_every_room_is_named_in_the_table():
    rooms = {path.parent.name for path in (ROOT / "nitro_workflow").glob("*/__init__.py")}
    table = (ROOT / "README.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    inner = {path.parent.name for path in (ROOT / "enclave_image").glob("*/__init__.py")}
    assert named - inner == rooms | {"enclave_image", "CiphertextForRecipient"}
    assert inner <= named
