"""The how-to for one's own enclave: every command of it, run as it is printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host import require_sandbox, supervision_problem

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-enclave.md"
PROGRAMS = {
    "nitro-cli": "nitro_workflow.cli.host_programs:nitro_cli_program",
    "nitro-workflow": "nitro_workflow.cli:main",
    "vsock-proxy": "nitro_workflow.cli.host_programs:vsock_proxy_program",
}


def blocks(kind: str, page: Path = PAGE) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def shell(require):
    """Runs a script as a user of the page does: the programs on PATH, a home of its own."""
    try:
        require_sandbox()
    except SandboxUnavailable as error:
        require("sandbox", False, error.next)
    problem = supervision_problem()
    require("supervisor", problem is None, problem or "")
    require("cc", shutil.which("gcc") is not None, "apt-get install gcc libc6-dev")
    home = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    programs = home / "bin"
    programs.mkdir()
    for name, target in PROGRAMS.items():
        module, _, function = target.partition(":")
        start = f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n"
        (programs / name).write_text(start)
        (programs / name).chmod(0o755)
    (home / "docs").symlink_to(ROOT / "docs")
    kept = {key: value for key, value in os.environ.items() if "NITRO" not in key}
    environment = {
        **kept, "HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(home), "XDG_DATA_HOME": f"{home}/data",
        "XDG_CONFIG_HOME": f"{home}/config",
    }  # fmt: skip

    def run(script):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=home, env=environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    yield run
    run("nitro-workflow host down")
    shutil.rmtree(home)


@pytest.mark.slow
@pytest.mark.sandbox
def test_every_command_of_the_page(shell):
    commands = [text for text in blocks("sh") if not text.startswith("pip install")]
    assert len(commands) >= 6
    marked = "\n".join(f"echo '@@ {n}'\n{text}" for n, text in enumerate(commands))
    done = shell(marked)
    said = dict(enumerate(re.split(r"^@@ \d+\n", done.stdout, flags=re.MULTILINE)[1:]))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    text = "\n".join(said.values())
    assert blocks("dockerfile")[0] in text  # the Dockerfile, as it is shown
    assert "nothing forbids it with --memory 64 --cpu-count 2" in text
    assert '"EnclaveName": "attester"' in text
    assert re.search(r"^\d{4} bytes$", text, re.MULTILINE)
    assert "attester: listening on vsock port 7" in text
    assert "debug" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.sandbox
def test_every_command_of_the_page_for_one_piece(shell):
    done = shell("\n".join(blocks("sh", ROOT / "docs" / "how-to" / "one-piece.md")))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "a way to the plaintext without attestation" in done.stdout
    assert "This image gets the plaintext." in done.stdout
    assert "debug" in done.stdout + done.stderr
    assert "fb36ba25ea45" in done.stdout  # the record's PCR0, in hex


@pytest.mark.slow
@pytest.mark.sandbox
def test_every_command_of_the_export_page(shell):
    done = shell("\n".join(blocks("sh", ROOT / "docs" / "export.md")) + "\nnitro-workflow down")
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "These PCRs let nobody in on AWS" in done.stdout + done.stderr
    assert "The gate is open for PCR0" in done.stdout
    assert "is none of measurements/" in done.stderr
    assert "DecryptInsideTheEnclave2" in done.stdout


@pytest.mark.interop
def test_the_same_program_is_booted(shell, require):
    from nitro_workflow.errors import HostError
    from nitro_workflow.host import installed_blobs
    from nitro_workflow.host.qemu.qemu_program import find_qemu

    try:
        find_qemu()
        installed_blobs()
    except HostError as error:
        require("qemu", False, error.next)
    cache = Path.home() / ".cache"
    prepare = f"ln -s {cache} ~/.cache\n{blocks('sh')[1]}"
    [commands] = blocks("bash")
    done = shell(f"unset XDG_CACHE_HOME\n{prepare}\n{commands}")
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "PCRs match attester.eif" in done.stdout


def test_the_allocator_of_the_page_is_one():
    from nitro_workflow.host.rules import parse_allocator

    [text] = blocks("yaml")
    pool = parse_allocator(text, Path("allocator.yaml"))
    assert (pool.memory_mib, len(pool.cpus)) == (2048, 4)


def test_the_declaration_of_the_other_page_is_one(tmp_path):
    """docs/your-application.md shows a declaration: it is one, and the example's."""
    from enclave_image.applications import read_declaration

    page = (ROOT / "docs" / "your-application.md").read_text()
    shown = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[0]
    example = ROOT / "docs" / "examples" / "word_count"
    shutil.copytree(example, tmp_path / "app")
    (tmp_path / "app" / "application.toml").write_text(shown)
    found, there = read_declaration(tmp_path / "app"), read_declaration(example)
    assert (found.name, found.what, found.threshold) == (there.name, there.what, there.threshold)
    assert dict(found.arguments) == {"least_letters": 5}
