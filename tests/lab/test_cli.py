"""The commands' edges: sizes, folders, JupyterLab's end. What they do for real is in `test_rough`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import cli, jupyter, lab_state, main
from nitro_workflow.cli import workflow as commands
from nitro_workflow.cli.step_text import show_step
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.host import SandboxHost
from nitro_workflow.lab import Lab, StepResult


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
    result = CliRunner().invoke(lab_state.trace, ["--lab", str(tmp_path / "lab")])
    assert isinstance(result.exception, LabError)
    assert "walk" in result.exception.next


def test_status_starts_nothing(tmp_path: Path) -> None:
    Lab.open(tmp_path / "lab")
    result = CliRunner().invoke(lab_state.status, ["--lab", str(tmp_path / "lab"), "--json"])
    found = json.loads(result.stdout)
    assert set(found["processes"].values()) == {"stopped"}
    assert set(found["steps"].values()) == {"not yet"}


def test_lab_needs_the_notebooks(tmp_path: Path) -> None:
    options = ["--lab", str(tmp_path / "lab"), "--notebooks", str(tmp_path)]
    result = CliRunner().invoke(jupyter.lab, options)
    assert isinstance(result.exception, LabError)
    assert "--notebooks" in result.exception.next


def test_lab_opens_the_first_notebook_and_stops_the_processes_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "00_first.ipynb").write_text("{}")
    seen: dict[str, object] = {}

    def run(command: list[str], environment: dict[str, str], folder: Path) -> int:
        opened = Lab.open(environment["NITRO_WORKFLOW_LAB"])
        opened.pair.processes.up()
        seen.update(command=command, folder=folder)
        return 0

    monkeypatch.setattr(jupyter, "_run_until_end", run)
    options = ["--lab", str(tmp_path / "lab"), "--notebooks", str(tmp_path), "--", "--no-browser"]
    result = CliRunner().invoke(jupyter.lab, options)
    assert result.exit_code == 0, result.output
    command = seen["command"]
    assert isinstance(command, list)
    assert command[1:4] == ["-m", "jupyterlab", str(tmp_path / "00_first.ipynb")]
    assert command[4] == "--LabApp.default_url=/lab/tree/00_first.ipynb"
    assert command[-1] == "--no-browser"
    assert not any("token" in part for part in command), "JupyterLab's own token stays"
    states = Lab.open(tmp_path / "lab").pair.processes.status()
    assert set(states.values()) == {"stopped"}


def _result() -> StepResult:
    evidence = {
        "basis": "observed by the cloud",
        "encryption-sdk": {
            "explanation": "ALLOWED\n  why    a statement allows it",
            "decision_record": {"statements": [{"checks": ["deep"] * 99}]},
            "pcrs": {"PCR0": "ab" * 48},
        },
        "policy": {"Version": "2012-10-17", "Statement": [{"Sid": "One", "Effect": "Allow"}]},
        "origins": {f"wheel {number}": "12 files, 34567 bytes" for number in range(9)},
    }
    title = "Verify the document, compare its PCRs with the policy"
    return StepResult("D4", "cloud", title, "done", 0.25, evidence)


def test_all_of_the_evidence_is_indented_and_leaves_the_deep_record_to_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_step(_result(), everything=True)
    lines = capsys.readouterr().out.splitlines()
    assert "              why    a statement allows it" in lines
    assert any("decision record" in line and "--json" in line for line in lines)
    assert "deep" not in "".join(lines)
    assert '              "Sid": "One",' in [line[2:] for line in lines]
    assert any(line.split() == ["wheel", "3", "12", "files,", "34567", "bytes"] for line in lines)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_steps_line_fits_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show_step(_result())
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert len(first) <= columns
    assert ("cloud" in first) == (columns == 120)
    assert ("party" in second) == (columns == 80)


@pytest.mark.parametrize("group", ["attestation", "cloud", "image", "nitro-cli", "policy"])
def test_a_groups_help_ends_no_sentence_in_dots(group: str) -> None:
    result = CliRunner().invoke(cli, [group, "--help"])
    assert result.exit_code == 0
    assert "..." not in result.output.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("enclaves", "says"),
    [
        ([], "enclave     none\n"),
        ([{"EnclaveID": "i-1-enc2", "State": "RUNNING"}], "i-1-enc2, running"),
    ],
)
def test_status_says_which_enclave_runs(
    enclaves: list[dict[str, str]], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = dict.fromkeys(("cloud", "hypervisor", "idle"), "running")
    monkeypatch.setattr(type(Lab.open(tmp_path / "lab").pair.processes), "status", lambda _: up)
    instance = {"InstanceId": "i-1", "State": "running", "Enclaves": enclaves}
    monkeypatch.setattr(SandboxHost, "describe_instances", lambda _: [instance])
    monkeypatch.setattr(SandboxHost, "limits", lambda _: "what holds them")
    result = CliRunner().invoke(lab_state.status, ["--lab", str(tmp_path / "lab")])
    assert says in result.output
    assert "limits      what holds them\n" in result.output
    instance["EndedFor"] = "disk: 700 MiB of 512"
    result = CliRunner().invoke(lab_state.status, ["--lab", str(tmp_path / "lab")])
    assert "i-1 was ended: more than its disk: 700 MiB of 512" in result.output


def test_no_color_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, object]] = []
    monkeypatch.setattr(cli, "main", lambda **given: seen.append(given))
    monkeypatch.setattr("nitro_workflow.cli.end_in_order", lambda: None)  # pytest has its own
    for value in ("1", ""):
        monkeypatch.setenv("NO_COLOR", value)
        with pytest.raises(SystemExit):
            main()
    assert [given.get("color") for given in seen] == [False, None]
