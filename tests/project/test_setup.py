"""The set-up files agree with each other and hold no registry's name."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import yaml

from tests.conftest import SLOW

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
DOCS_LOCK = (ROOT / "tools" / "docs.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _name(requirement: str) -> str:
    return (
        re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
        .lower()
        .replace("_", "-")
        .replace(".", "-")
    )


def _direct() -> list[str]:
    """Return what the core and the extras require, our own name (extras of extras) left out."""
    project = PYPROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return [r for r in [*project["dependencies"], *extras] if _name(r) != project["name"]]


def _locked(lock: str = LOCK) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE))


def test_every_requirement_is_locked():
    groups = PYPROJECT["dependency-groups"]
    wanted = _direct()
    for name, group in groups.items():
        wanted += [r for r in group if isinstance(r, str) and name != "docs"]
    assert {_name(r) for r in wanted} <= _locked().keys()
    assert {_name(r) for r in groups["docs"]} <= _locked(DOCS_LOCK).keys()


def test_the_site_changes_no_package_of_the_rest():
    here, there = _locked(), _locked(DOCS_LOCK)
    assert {name: there[name] for name in here.keys() & there} == {
        name: here[name] for name in here.keys() & there
    }


def test_every_locked_file_has_a_hash():
    blocks = re.split(r"^(?=[a-z0-9])", LOCK + DOCS_LOCK, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_conda_users_get_the_same_set():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PYPROJECT["project"]["name"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    floor = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert tuple(map(int, python.removeprefix("python=").split("."))) >= tuple(
        map(int, floor.split("."))
    )
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip == ["--require-hashes", "-r requirements.lock"]


def test_the_packages_the_mission_names_are_direct_requirements():
    direct = {_name(r) for r in _direct()}
    assert {
        "aws-encryption-sdk", "boto3", "cbor2", "cryptography",
        "ipywidgets", "jupyterlab", "nbval", "pycose",
    } <= direct  # fmt: skip


def test_no_lock_names_a_registry():
    peers = ROOT / "tests" / "interop"
    locks = [
        *ROOT.glob("*.lock"),
        *(ROOT / "enclave_image").glob("*.lock"),
        *(ROOT / "tools").glob("*.lock"),
        *peers.glob("*/*.lock"),
        *peers.glob("*/package-lock.json"),
    ]
    assert len(locks) == 12
    for path in locks:
        assert not re.search(r"https?://|index-url", path.read_text()), path.name


def test_every_npm_package_has_a_hash():
    for path in (ROOT / "tests" / "interop").glob("*/package-lock.json"):
        packages = json.loads(path.read_text())["packages"]
        assert all("integrity" in package for name, package in packages.items() if name)


def test_every_test_that_make_quick_leaves_out_is_there():
    for node in SLOW:
        path, _, name = node.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), node
