"""What the README and its sister pages show of lessons, steps and rooms is so; links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from nitro_workflow.widgets.samples import sample
from tests.project.test_how_to import PROGRAMS, blocks

ROOT = Path(__file__).parents[2]


def test_its_generated_parts_are_up_to_date():
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
    page = ROOT / "docs" / "explanation" / "architecture.md"
    table = page.read_text().partition("| room |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    inner = {path.parent.name for path in (ROOT / "enclave_image").glob("*/__init__.py")}
    assert named - inner == rooms | {"enclave_image", "CiphertextForRecipient"}
    assert inner <= named


def test_every_link_leads_to_a_file_or_a_heading():
    text = (ROOT / "README.md").read_text()
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert len(links) > 20
    for link in links:
        place, _, anchor = link.partition("#")
        if link.startswith("https://"):
            continue
        assert (ROOT / place).exists() if place else anchor in headings, link


def test_the_first_screen_says_what_shows_it_and_how_long():
    """Before the first heading of a section: an enclave, the two commands, a time, a picture."""
    first = (ROOT / "README.md").read_text().partition("\n## ")[0]
    assert len(first.splitlines()) < 40
    for wanted in ("enclave", "make lab", "make test", "minutes", "GB", "<picture>", "light.png"):
        assert wanted in first


def test_a_document_of_ones_own_takes_three_commands(tmp_path):
    activate, *commands = blocks("sh", ROOT / "README.md")[0].strip().splitlines()
    assert activate == ". .venv/bin/activate"
    assert len(commands) == 2
    module, _, function = PROGRAMS["nitro-workflow"].partition(":")
    program = tmp_path / "nitro-workflow"
    program.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
    program.chmod(0o755)
    shutil.copy(sample("attested.log"), tmp_path / "my.log")
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Valid at its own time" in done.stdout
    assert "AWS Nitro Enclaves" in done.stdout
    assert "<html" in (tmp_path / "document.html").read_text()
