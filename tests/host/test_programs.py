"""`nitro-cli` and `vsock-proxy` as programs: whose place they never take, what they say."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nitro_workflow.cli import host_programs
from nitro_workflow.cli.host_programs import real_program

ROOT = Path(__file__).parents[2]
PROGRAMS = {"nitro-cli": "nitro_cli_program", "vsock-proxy": "vsock_proxy_program"}


def run(name, *arguments, setup="", **more):
    code = f"import sys; sys.argv[0] = {name!r}\n"
    code += f"from nitro_workflow.cli import host_programs\n{setup}\n"
    code += f"host_programs.{PROGRAMS[name]}()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, **more,
    )  # fmt: skip


def test_the_wheel_has_them():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert PROGRAMS.keys() < scripts.keys()
    for target in scripts.values():
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_versions():
    done = run("nitro-cli", "--version")
    assert done.stdout.startswith("Nitro CLI 1.5.2+nitro-workflow.")
    assert run("vsock-proxy", "--version").stdout.startswith("Vsock-TCP proxy 1.0.2+")


def test_usage_as_nitro_cli_exits(tmp_path):
    assert run("nitro-cli").returncode == 2
    assert run("nitro-cli", "no-such-command").returncode == 2
    assert run("nitro-cli", "explain", "--error-code", "E36").stdout.startswith("E36: Enclave boot")
    assert run("nitro-cli", "pcr", "--input", tmp_path / "absent").returncode == 19


@pytest.fixture
def parent(tmp_path):
    """A folder with AWS's programs, and a device that only an EC2 parent has."""
    for name in PROGRAMS:
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "real $0 $*"; exit 44\n')
        program.chmod(0o755)
    (tmp_path / "device").touch()
    return tmp_path


@pytest.mark.parametrize("name", PROGRAMS)
def test_on_an_ec2_parent_the_real_one_takes_over(parent, name):
    setup = "real = host_programs.real_program\n"
    setup += (
        f"host_programs.real_program = lambda name: real(name, host_programs.Path({str(parent)!r}),"
        f" host_programs.Path({str(parent / 'device')!r}))"
    )
    done = run(name, "describe-enclaves", "-4", setup=setup)
    assert done.stdout == f"real {parent / name} describe-enclaves -4\n"
    assert done.returncode == 44
    assert "takes over" in done.stderr


def test_the_real_one_counts_only_on_a_parent(parent, monkeypatch):
    assert real_program("nitro-cli", parent, parent / "device") == parent / "nitro-cli"
    assert real_program("nitro-cli", parent, parent / "no-device") is None
    assert real_program("nitro-cli", parent / "bin", parent / "device") is None
    (parent / "nitro-cli").chmod(0o644)
    if os.geteuid():
        assert real_program("nitro-cli", parent, parent / "device") is None
    (parent / "nitro-cli").chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(parent / "nitro-cli")])  # ours, installed in its place
    assert real_program("nitro-cli", parent, parent / "device") is None


def test_the_place_is_fixed():
    assert Path("/usr/bin") == host_programs.REAL
    assert str(host_programs.PARENT_DEVICE) == "/dev/nitro_enclaves"
