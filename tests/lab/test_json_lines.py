"""`walk --json` and `step --json`: one object a line, however they end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import workflow as commands
from nitro_workflow.lab import Lab, find_processes

CLI = (sys.executable, "-m", "nitro_workflow.cli")
DEADLINE = 120.0  # seconds, on a loaded machine


def walking(lab: Lab, *options: str) -> subprocess.Popen[bytes]:
    """Start a walk of the command; return it when its first step is done.

    Unbuffered: what is read ahead of the first line would be lacking in `communicate`'s. With the
    signals' default actions: whoever runs the tests may ignore SIGHUP, as nohup does.
    """
    walk = subprocess.Popen(
        [
            "env",
            "--default-signal",
            *CLI,
            "walk",
            *options,
            "--size",
            "20KiB",
            "--lab",
            str(lab.path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert walk.stdout is not None
    while b"P1" not in walk.stdout.readline():
        assert walk.poll() is None, walk.communicate()
    return walk


def last_object(out: str | bytes) -> dict[str, Any]:
    lines = [json.loads(line) for line in out.splitlines()]
    return dict(lines[-1])


def test_a_walk_that_cannot_start_is_one_object_too(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    result = CliRunner().invoke(commands.walk, ["--lab", str(tmp_path), "--json"])
    assert result.exit_code == 3
    [line] = [json.loads(line) for line in result.stdout.splitlines()]
    assert (line["step"], line["status"]) == ("", "failed")
    assert "thesis.tex" in line["error"]["found"]


def test_an_interrupted_walk_ends_with_an_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lab, "up", interrupted)
    result = CliRunner().invoke(commands.walk, ["--lab", str(tmp_path / "lab"), "--json"])
    assert result.exit_code == 130
    assert json.loads(result.stdout)["error"]["code"] == "Interrupted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_walk_with_an_object(fresh: Lab, number: signal.Signals) -> None:
    with walking(fresh, "--json") as walk:
        walk.send_signal(number)
        out, err = walk.communicate(timeout=DEADLINE)
    assert walk.returncode == 128 + number, err
    assert b"Traceback" not in err
    line = last_object(out)
    assert (line["step"], line["status"]) == ("", "failed")
    assert line["title"].startswith("after P")
    assert line["error"]["code"] == "Interrupted"
    assert "nitro-workflow walk" in line["error"]["next"]


def test_a_signal_ends_a_walk_for_people_with_a_word(fresh: Lab) -> None:
    with walking(fresh) as walk:
        walk.terminate()
        _, err = walk.communicate(timeout=DEADLINE)
    assert (walk.returncode, err.splitlines()[-1]) == (128 + signal.SIGTERM, b"Stopped.")


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As under `nohup`: the terminal closes, and the walk goes on."""
    script = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "from nitro_workflow.cli.termination import end_in_order; end_in_order();"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN;"
        "assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_step_that_failed_is_an_object_with_its_exit_code(fresh: Lab) -> None:
    fresh.bench.folder.change_settings(csv="/nonexistent/customers.csv")
    result = CliRunner().invoke(commands.step, ["P3", "--json", "--lab", str(fresh.path)])
    line = last_object(result.stdout)
    assert (result.exit_code, line["step"], line["status"]) == (3, "P3", "failed")
    assert "no such file" in line["error"]["found"]


def test_a_step_that_is_none_is_an_object(tmp_path: Path) -> None:
    options = ["X1", "--json", "--lab", str(tmp_path / "lab")]
    result = CliRunner().invoke(commands.step, options)
    assert result.exit_code == 2
    assert last_object(result.stdout)["error"]["found"] == "no step 'X1'"


def test_what_the_system_says_is_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, code in (
        (OSError(28, "No space left on device", str(tmp_path)), 4),
        (MemoryError(), 4),
        (ModuleNotFoundError("No module named 'boto3'", name="boto3"), 2),
    ):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(Lab, "up", fail)
        result = CliRunner().invoke(commands.walk, ["--lab", str(tmp_path / "lab"), "--json"])
        assert result.exit_code == code
        assert last_object(result.stdout)["status"] == "failed"


def test_a_fault_of_the_program_is_no_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(Lab, "up", fail)
    result = CliRunner().invoke(commands.walk, ["--lab", str(tmp_path / "lab"), "--json"])
    assert isinstance(result.exception, KeyError)
    assert result.stdout == ""


def test_a_walk_whose_folder_is_removed_ends_with_an_object(fresh: Lab) -> None:
    with walking(fresh, "--json") as walk:
        shutil.rmtree(fresh.path, ignore_errors=True)
        out, err = walk.communicate(timeout=DEADLINE)
    assert b"Traceback" not in err, err
    assert last_object(out)["status"] == "failed"
    for left in find_processes(fresh.path):
        left.end()
