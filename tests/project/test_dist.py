"""What a wheel and a source distribution hold: everything that is needed, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import nitro_workflow

ROOT = Path(__file__).parents[2]
NAME = f"nitro_workflow-{nitro_workflow.__version__}"
LABEXTENSION = "share/jupyter/labextensions/nitro-workflow"
SHARED = {
    "etc/jupyter/jupyter_server_config.d/nitro-workflow.json": "jupyter_server_config.json",
    **{
        f"{LABEXTENSION}/{name}": name
        for name in ("install.json", "package.json", "remoteEntry.js")
    },
}
"""Where Jupyter looks for an extension in an environment, and the file in the repository."""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> dict[str, bytes]:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources(package: str) -> set[str]:
    """Return the files of a package as git knows them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", package]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split() if (ROOT / name).is_file()}


def test_the_wheel_holds_both_packages_and_the_notebooks(wheel):
    folder = ROOT / "notebooks"
    books = {path.name for path in (*folder.glob("*.ipynb"), *folder.glob("*.md"))}
    notebooks = {f"nitro_workflow/notebooks/{name}" for name in books}
    about = {
        f"{NAME}.dist-info/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    shared = {f"{NAME}.data/data/{path}" for path in SHARED}
    packages = sources("nitro_workflow") | sources("enclave_image")
    assert set(wheel) == packages | notebooks | shared | about
    assert len(books) >= 8
    assert {
        "enclave_image/Dockerfile",
        "enclave_image/requirements.lock",
        "enclave_image/py.typed",
        "nitro_workflow/py.typed",
        "nitro_workflow/widgets/static/common.js",
    } <= packages


def test_the_notebooks_are_there_as_they_are_committed(wheel):
    for name, data in wheel.items():
        if name.startswith("nitro_workflow/notebooks/"):
            assert data == (ROOT / "notebooks" / Path(name).name).read_bytes()


def test_the_wheel_says_what_it_is(wheel):
    about = Parser().parsestr(wheel[f"{NAME}.dist-info/METADATA"].decode())
    assert about["Version"] == nitro_workflow.__version__
    assert about["License-Expression"] == "Apache-2.0"
    extras = {"all", "cloud", "enclave", "notebooks", "qemu", "test"}
    assert set(about.get_all("Provides-Extra")) == extras
    core = [line for line in about.get_all("Requires-Dist") if "extra ==" not in line]
    assert {line.partition(">")[0] for line in core} == {
        "backports-zstd",
        "cbor2",
        "click",
        "cryptography",
        "pycose",
        "pyyaml",
    }
    entries = wheel[f"{NAME}.dist-info/entry_points.txt"].decode()
    assert "nitro-workflow = nitro_workflow.cli:main" in entries
    assert "nitro_workflow = nitro_workflow.pytest_plugin" in entries


def test_jupyterlab_finds_its_extension_where_the_wheel_is_installed(wheel):
    for path, name in SHARED.items():
        data = wheel[f"{NAME}.data/data/{path}"]
        assert data == (ROOT / "labextension" / name).read_bytes()
    about = json.loads(wheel[f"{NAME}.data/data/{LABEXTENSION}/package.json"])
    assert about["version"] == nitro_workflow.__version__
    assert f"{LABEXTENSION}/{about['jupyterlab']['_build']['load']}" in SHARED


def test_the_source_distribution_builds_and_tests_itself(built):
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    for folder in (
        "nitro_workflow",
        "enclave_image",
        "labextension",
        "notebooks",
        "tests",
        "tools",
        "docs",
    ):
        assert sources(folder) <= names
    assert {"Makefile", "hatch_build.py", "pyproject.toml", "requirements.lock"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(".venv")]
