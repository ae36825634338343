"""The commands about policies as a script calls them, and files for them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nitro_workflow.cli import main


@pytest.fixture
def run(capfd, monkeypatch):
    """Call the command in this process, as its script does; it opens the streams itself."""
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)

    def call(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["nitro-workflow", "policy", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        assert (caught.value.code or 0) == code, out + err
        return out, err

    return call


@pytest.fixture
def files(tmp_path: Path):
    def write(name, value):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
        return path

    return write
