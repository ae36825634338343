"""`nitro-workflow inspect`: text, JSON, a page; standard input; what cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import VECTORS

REAL = VECTORS / "attestation" / "8e5652f3b009e620.bin"


def _run(*words, data=b""):
    command = [sys.executable, "-m", "nitro_workflow.cli", "inspect", *map(str, words)]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)


def test_text_says_verdict_and_next():
    done = _run(REAL, "--at", "document")
    assert done.returncode == 0
    assert done.stdout.decode().startswith("✓ Valid at its own time")
    assert "  next  " in done.stdout.decode()


def test_standard_input_and_json():
    done = _run("-", "--json", "--at", "document", data=REAL.read_bytes().hex().encode())
    said = json.loads(done.stdout)
    assert said["recognised"]["kind"] == "document"
    assert said["recognised"]["path"] == ["hex"]
    assert said["head"]["verdict"] == "Valid at its own time"


def test_several_files_become_one_page(tmp_path):
    out = tmp_path / "page.html"
    done = _run(REAL, VECTORS / "policies" / "eks_wallet.json", "--html", out)
    assert done.returncode == 0, done.stderr
    assert out.read_text().count("<section") >= 2
    assert "Content-Security-Policy" in out.read_text()


@pytest.mark.parametrize(("words", "code"), [(["/nope"], 3), ([REAL, "--at", "soon"], 2)])
def test_what_cannot_be_done_is_said(words, code):
    done = _run(*words)
    assert done.returncode == code
    assert b"expected" in done.stderr
