"""The background processes: started, adopted, restarted, stopped; ports taken, pids recycled."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nitro_workflow.cloud import isolated_environment
from nitro_workflow.errors import CloudUnavailable
from nitro_workflow.lab import Lab, LabProcess, find_processes
from nitro_workflow.lab.processes.process_table import start_tick


def pid_of(lab: Lab, name: str) -> int:
    [found] = [one for one in find_processes(lab.path) if one.name == name]
    return found.pid


def kill(lab: Lab, name: str) -> int:
    pid = pid_of(lab, name)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while lab.pair.processes.status()[name] != "stopped" and time.monotonic() < deadline:
        time.sleep(0.01)
    return pid


def test_nothing_runs_until_it_is_needed(fresh: Lab) -> None:
    assert set(fresh.pair.processes.status().values()) == {"stopped"}
    with pytest.raises(CloudUnavailable, match="not running"):
        fresh.pair.processes.endpoint()


def test_one_life_of_the_processes(fresh: Lab) -> None:
    """Started, adopted, killed, restarted on the same port with what it had acknowledged, stopped."""
    fresh.run("P1")
    key = fresh.bench.produced("P1", "key_arn")
    endpoint = fresh.pair.processes.endpoint()
    pids = {name: pid_of(fresh, name) for name in ("cloud", "hypervisor", "idle")}

    second = Lab.open(fresh.path)
    second.up()
    assert {name: pid_of(second, name) for name in pids} == pids, "adopted, not started again"

    kill(fresh, "cloud")
    fresh.up()
    assert pid_of(fresh, "cloud") != pids["cloud"]
    assert fresh.pair.processes.endpoint() == endpoint
    kms = fresh.bench.parties.session("owner").client("kms")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key

    kill(fresh, "hypervisor")
    root = (fresh.path / "hypervisor" / "root.pem").read_bytes()
    fresh.up()
    assert (fresh.path / "hypervisor" / "root.pem").read_bytes() != root, "its keys were in memory"

    assert sorted(second.down()) == ["cloud", "hypervisor", "idle"]
    assert second.down() == []
    assert set(fresh.pair.processes.status().values()) == {"stopped"}


def test_a_taken_port_is_named_with_the_way_out(fresh: Lab) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (fresh.path / "cloud" / "port").write_text(str(other.getsockname()[1]))
        with pytest.raises(CloudUnavailable) as caught:
            fresh.up()
        assert "--new-port" in caught.value.next
    fresh.pair.processes.down(new_port=True)
    assert not (fresh.path / "cloud" / "port").exists()


def test_stale_and_half_written_files_are_no_process(fresh: Lab) -> None:
    record = {"endpoint": "https://127.0.0.1:9", "ca": "/nonexistent", "pid": os.getpid()}
    (fresh.path / "cloud" / "endpoint.json").write_text(json.dumps(record))
    assert set(fresh.pair.status().values()) == {"stopped"}
    assert fresh.down() == [], "a recycled pid is not killed: it is this very test's"
    (fresh.path / "cloud" / "endpoint.json").write_text('{"endpoint": "https://127')
    (fresh.path / "runtime.json").write_text("{")
    fresh.up()
    assert fresh.pair.processes.endpoint().url.startswith("https://127.0.0.1:")


def test_the_idle_watch_stops_what_nobody_uses(fresh: Lab) -> None:
    fresh.pair.processes.idle_seconds = 2
    fresh.pair.processes.up()
    watch = fresh.pair.processes
    deadline = time.monotonic() + 60
    while "running" in "".join(watch.status().values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert set(watch.status().values()) == {"stopped"}


def test_the_processes_outlive_the_process_that_started_them(fresh: Lab) -> None:
    start = "import sys; from nitro_workflow.lab import Lab; Lab.open(sys.argv[1]).up()"
    subprocess.run(
        [sys.executable, "-c", start, str(fresh.path)], check=True, start_new_session=True
    )
    assert fresh.pair.processes.status()["cloud"].startswith("running")


def test_what_ended_before_it_was_looked_at_is_not_taken_for_alive() -> None:
    """Its pid has no tick then, nor has it one later: equal, and yet no process."""
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    assert not LabProcess("cloud", ended.pid, start_tick(ended.pid), "/lab").alive


def test_children_cannot_find_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "HTTPS_PROXY", "https_proxy", "PYTHONPATH"):
        monkeypatch.setenv(name, "poison")
    environment = isolated_environment()
    assert "poison" not in environment.values()
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"


def test_a_lab_whose_folder_was_removed_can_be_begun_anew(tmp_path: Path) -> None:
    import shutil

    first = Lab.open(tmp_path / "lab")
    first.up()
    first.down()
    shutil.rmtree(first.path)
    again = Lab.open(tmp_path / "lab")
    again.up()
    assert again.down()
