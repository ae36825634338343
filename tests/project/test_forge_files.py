"""What a forge and pre-commit read: well-formed, and a call of the house's own commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
FORM = ROOT / ".github" / "ISSUE_TEMPLATE" / "problem.yml"
MAKEFILE = (ROOT / "Makefile").read_text()
INPUTS = {"checkboxes", "dropdown", "input", "textarea"}  # what GitHub's forms ask with


@pytest.fixture(scope="module")
def workflow() -> dict:
    # YAML 1.1 reads the key `on` as True: the loader that keeps every scalar as text does not.
    return yaml.load(WORKFLOW.read_text(), Loader=yaml.BaseLoader)


@pytest.fixture(scope="module")
def steps(workflow) -> list[dict]:
    [job] = workflow["jobs"].values()
    return job["steps"]


def test_the_workflow_calls_what_ci_calls(steps):
    assert steps[-1] == {"run": ".ci/run"}
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111


def test_ci_calls_the_readmes_test_command():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "make test"
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_a_strangers_change_gets_nothing(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow["on"]) == {"push", "pull_request", "workflow_dispatch"}
    assert "secrets." not in WORKFLOW.read_text()
    assert all("permissions" not in job for job in workflow["jobs"].values())


def test_actions_are_pinned_by_digest(steps):
    used = [step for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"]) for step in used)
    [checkout] = used
    assert checkout["with"]["persist-credentials"] == "false"


def test_the_form_is_one():
    form = yaml.safe_load(FORM.read_text())
    assert (
        {"name", "description", "body"} <= form.keys() <= {"name", "description", "body", "labels"}
    )
    asked = [part for part in form["body"] if part["type"] in INPUTS]
    assert {part["type"] for part in form["body"]} <= INPUTS | {"markdown"}
    ids = [part["id"] for part in asked]
    assert len(set(ids)) == len(ids) >= 4
    assert all(part["attributes"]["label"] for part in asked)
    assert all(part["attributes"]["options"] for part in asked if part["type"] == "dropdown")


def test_the_form_asks_for_commands_that_there_are():
    from click.testing import CliRunner

    from nitro_workflow.cli import cli

    named = re.findall(r"nitro-workflow ([\w-]+):", FORM.read_text())
    assert named == ["--version", "status"]
    for word in named:
        arguments = [word] if word.startswith("-") else [word, "--help"]
        assert CliRunner().invoke(cli, arguments).exit_code == 0


def test_pre_commit_calls_make_lint():
    [repo] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        assert hook["language"] == "system"
        assert hook["pass_filenames"] is False
        make, target = hook["entry"].split()
        assert make == "make"
        assert f"\n{target}: setup" in MAKEFILE
