"""The host where this machine is the parent: role and id are asked, proxy and parent run here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import enclave_image
from nitro_workflow.cloud import Endpoint
from nitro_workflow.errors import HostError
from nitro_workflow.host import OwnParentHost, ParentPrograms
from tests.host.waiting import wait_for

INSTANCE = "i-0123456789abcdef0"
ROLE = "arn:aws:iam::444455556666:role/company/ParentInstance"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    program = tmp_path / "nitro-cli"
    shutil.copy(Path(__file__).with_name("recorded_nitro_cli.py"), program)
    text = program.read_text().replace("#!/usr/bin/python3", f"#!{sys.executable}", 1)
    program.write_text(text)
    program.chmod(0o755)
    (tmp_path / "board_asset_tag").write_text(f"{INSTANCE}\n")
    folder = tmp_path / ("a-lab-in-a-deep-folder" * 5) / "parent"
    application = Path(enclave_image.__file__).parent
    real = OwnParentHost._environment

    def environment(host: OwnParentHost) -> dict[str, str]:
        (folder / "vsock" / "3").mkdir(parents=True, exist_ok=True)  # plays the kernel's
        return {**real(host), "NITRO_WORKFLOW_VSOCK": "host:vsock"}

    monkeypatch.setattr(OwnParentHost, "_environment", environment)
    hosts: list[OwnParentHost] = []

    def make(role: str = "ParentInstance") -> OwnParentHost:
        hosts.append(
            OwnParentHost(
                folder,
                role_arn=ROLE,
                kms=Endpoint("https://127.0.0.1:9", ""),
                parent=ParentPrograms(application / "parent" / "__main__.py", (application,)),
                region="eu-central-1",
                role=lambda: role,
                program=program,
                asset_tag=tmp_path / "board_asset_tag",
                blobs=tmp_path,
            )
        )
        return hosts[-1]

    yield make
    for host in hosts:
        host.end_parent()


def test_proxy_and_parent_are_started_once_and_ended(made: Any) -> None:
    host = made()
    assert host.given_instance() == INSTANCE
    booted = host.boot_instance(INSTANCE)
    assert booted["RoleArn"] == ROLE
    pids = {name: one["pid"] for name, one in booted["Programs"].items()}
    assert set(pids) == {"proxy", "parent"}
    assert host.channel(INSTANCE).ask({"op": "ping"})["pid"] == pids["parent"]
    again = made().boot_instance(INSTANCE)
    assert {name: one["pid"] for name, one in again["Programs"].items()} == pids, "adopted"
    assert host.end_parent() is True
    with pytest.raises(HostError):
        host.channel(INSTANCE).ask({"op": "ping"})
    assert host.end_parent() is False


def test_a_parent_that_has_ended_is_started_again(made: Any) -> None:
    host = made()
    pid = host.boot_instance(INSTANCE)["Programs"]["parent"]["pid"]
    host.run_command(INSTANCE, ["kill", "-9", str(pid)])
    wait_for(lambda: host.describe_instance(INSTANCE)["Programs"]["parent"]["exit"] is not None)
    assert host.boot_instance(INSTANCE)["Programs"]["parent"]["pid"] != pid
    assert host.channel(INSTANCE).ask({"op": "ping"})["ok"] is True


def test_what_is_the_callers_does_not_reach_the_parent(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOWNER")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    given = made()._environment()
    assert not [name for name in given if "KEY" in name or "ENDPOINT" in name]
    assert given["AWS_CONFIG_FILE"] == "/dev/null"


@pytest.mark.parametrize("role", ["", "Another"])
def test_another_role_is_refused_before_anything_runs(made: Any, role: str) -> None:
    host = made(role)
    with pytest.raises(HostError, match="this machine's role is") as refused:
        host.boot_instance(INSTANCE)
    assert "--role-instance" in refused.value.next
    assert host.end_parent() is False


def test_another_instance_is_not_booted(made: Any) -> None:
    with pytest.raises(HostError, match="not this machine"):
        made().boot_instance("i-00000000000000009")
