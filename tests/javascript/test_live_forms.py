"""The live forms' modules: types by TypeScript, functions by node's own test runner."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.javascript.javascript_tools import javascript_tools

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "nitro_workflow" / "widgets" / "static"
EXTENSION = HERE.parents[1] / "labextension" / "remoteEntry.js"


def _run(*words, cwd):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.interop
def test_types_hold(require, tmp_path):
    require("node", shutil.which("npm") is not None, "install Node.js 20 with npm")
    with javascript_tools() as tools:
        settings = json.loads((tools / "tsconfig.json").read_text())
        modules = [str(path) for path in (*sorted(STATIC.glob("*.js")), EXTENSION)]
        config = tmp_path / "tsconfig.json"
        config.write_text(json.dumps({**settings, "files": modules}))
        _run(str(tools / "node_modules" / ".bin" / "tsc"), "-p", str(config), cwd=tmp_path)


def test_functions_do_what_they_say(require, tmp_path):
    require("node", shutil.which("node") is not None, "install Node.js 20")
    # node takes a file for a module where a package.json says so
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copytree(STATIC, tmp_path / "static")
    for path in HERE.glob("*.js"):
        shutil.copy(path, tmp_path)
    said = _run("node", "--test", cwd=tmp_path)
    assert "# fail 0" in said
    assert "# tests 0" not in said
