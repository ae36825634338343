"""docs/your-ci.md and docs/examples/ci: an operator's suite, run as they run it, from a clean clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host import require_sandbox, supervision_problem
from tests.project.test_how_to import PROGRAMS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "ci"
PAGE = (ROOT / "docs" / "your-ci.md").read_text()
WORKFLOW = EXAMPLE / ".github" / "workflows" / "enclave.yml"
PARTS = ["image", "policy", "enclave", "notebooks", "notebooks-alone"]
COPIES = 3
"""Notebooks that are validated here; all of them, in order and alone, `make test` and `make course`."""


def ran(script: str, cwd: Path, environment: dict[str, str], seconds: int = 540) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=cwd, env=environment,
        capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an operator's environment: the programs on PATH, a home of its own."""
    home = tmp_path_factory.mktemp("h")
    (home / "bin").mkdir()
    for name, target in PROGRAMS.items():
        module, _, function = target.partition(":")
        start = f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n"
        (home / "bin" / name).write_text(start)
        (home / "bin" / name).chmod(0o755)
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("NITRO", "PYTEST"))
    }
    return {
        **kept, "HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}",
        "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
    }  # fmt: skip


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Return the operator's repository, made by the page's own commands."""
    folder = tmp_path_factory.mktemp("operator")
    for name in ("docs", "notebooks", "tests"):
        (folder / name).symlink_to(ROOT / name)
    (begin,) = [text for text in blocks("sh") if "ci.sh pin" in text]
    ran(begin.partition("./ci.sh image")[0], folder, environment)
    return folder / "my-enclave"


@pytest.fixture
def compiler(require) -> None:
    """Ask for what the page asks for: the program is compiled, statically, with OpenSSL."""
    there = shutil.which("gcc") is not None and shutil.which("pkg-config") is not None
    found = (
        there
        and not subprocess.run(["pkg-config", "--static", "libcrypto"], check=False).returncode
    )
    require("cc", found, "apt-get install gcc libc6-dev libssl-dev pkg-config")


@pytest.fixture
def clone(
    compiler, request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path
) -> Path:
    committed = request.getfixturevalue("committed")  # only where there is a compiler
    ran(f"git clone -q {committed} clone", tmp_path, environment)
    return tmp_path / "clone"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def sandbox(require) -> None:
    try:
        require_sandbox()
    except SandboxUnavailable as error:
        require("sandbox", False, error.next)
    problem = supervision_problem()
    require("supervisor", problem is None, problem or "")


@pytest.mark.sandbox
@pytest.mark.slow
def test_the_suite_holds_from_a_clean_clone(clone, environment, sandbox):
    """Build, compare, check the policy, decrypt attested, refuse a changed image."""
    said = ran("./ci.sh image policy enclave", clone, environment)
    assert "No path to the plaintext without attestation." in said
    assert "This image gets the plaintext." in said
    assert "10 passed" in said


@pytest.mark.slow
def test_a_changed_image_fails_the_comparison(clone, environment):
    dockerfile = clone / "enclave" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "COPY Dockerfile /backdoor\n")
    done = subprocess.run(
        ["./ci.sh", "image"],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert '"PCR0"' in done.stdout
    assert "ci.sh pin" in done.stderr


@pytest.mark.slow
def test_a_policy_with_a_way_round_fails(clone, environment):
    policy = clone / "policy" / "key-policy.json"
    policy.write_text(policy.read_text().replace('"kms:DescribeKey"', '"kms:Decrypt"', 1)
                      .replace("NoDecryptOutside", "Off").replace("StringNotEqualsIgnoreCase",
                      "StringEqualsIgnoreCase"))  # fmt: skip
    done = subprocess.run(
        ["./ci.sh", "policy"],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "path" in done.stdout


@pytest.mark.sandbox
@pytest.mark.slow
def test_copies_of_the_notebooks_hold(clone, environment, sandbox):
    """In order and each alone."""
    found = sorted((clone / "notebooks").glob("[0-9]*.ipynb"))
    for left in {*(clone / "notebooks").glob("*.ipynb")} - {*found[:COPIES]}:
        left.unlink()
    count = len([*(clone / "notebooks").glob("*.ipynb")])
    assert count == COPIES
    seconds = 120 * count + 120
    said = ran("./ci.sh notebooks", clone, environment, seconds)
    assert said.count(" passed") == 1
    said = ran("./ci.sh notebooks-alone", clone, environment, seconds)
    assert said.count(" passed") == count


def test_the_workflow_calls_every_part_and_the_script_has_no_other():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    steps = workflow["jobs"]["enclave"]["steps"]
    called = [
        step["run"].removeprefix("./ci.sh ") for step in steps if "ci.sh" in step.get("run", "")
    ]
    assert called == PARTS
    script = (EXAMPLE / "ci.sh").read_text()
    assert f"set -- {' '.join(PARTS)}" in script
    assert all(f"| `ci.sh {part}` |" in PAGE for part in PARTS)
    done = subprocess.run(
        [EXAMPLE / "ci.sh", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2


def test_the_page_names_every_fixture_and_the_packs_size():
    from nitro_workflow import pytest_plugin
    from nitro_workflow.attestation import PUBLISHED_AT, build_pack

    assert all(f"`{name}" in PAGE for name in pytest_plugin.__all__)
    assert f"writes {len(build_pack(PUBLISHED_AT))} documents" in PAGE
    for text in blocks("python"):
        compile(text, "your-ci.md", "exec")
