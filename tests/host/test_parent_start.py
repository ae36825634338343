"""The start of a parent instance, run as root of a mount namespace, with AL2023's programs played.

What is real: bash, the script, its files, digests, tar, and the parent's own archive. What is
played: dnf, modprobe, systemctl, systemd-run, useradd, chown, shutdown, aws, and sysfs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import enclave_image
from nitro_workflow.host import ParentPrograms, start_script
from nitro_workflow.host.ec2 import user_data
from nitro_workflow.host.ec2.images_bucket import SentFile
from nitro_workflow.host.ec2.parent_bundle import write_bundle
from nitro_workflow.host.ec2.user_data import ParentStart

FOLDER = Path(enclave_image.__file__).parent
PARENT = ParentPrograms(FOLDER / "parent" / "__main__.py", (FOLDER,))

PROGRAM = """#!/bin/bash
echo "$(basename "$0") $*" >>"$PLAYED/calls"
case " $FAILS " in *" $(basename "$0") "*) exit 3 ;; esac
"""
PLAYED = {
    "dnf": "",
    "modprobe": "",
    "systemctl": 'if [ "$1" = restart ]; then echo "$PAGES" >$POOL/nr_hugepages; echo "$CPU_IDS"'
    " >/sys/module/nitro_enclaves/parameters/ne_cpus; fi",
    "shutdown": "",
    "id": "exit 1",
    "useradd": "",
    "chown": "",
    "aws": 'while [ "$#" -gt 1 ]; do shift; done; cp "$PLAYED/parent.tar.gz" "$1"',
    "systemd-run": 'while [ $# -gt 0 ] && [ "$1" != -- ]; do case $1 in --setenv=*) export'
    ' "${1#--setenv=}";; esac; shift; done; shift; cd "$NITRO_WORKFLOW_INSTANCE"; mkdir -p vsock/3;'
    ' NITRO_WORKFLOW_VSOCK=host:$PWD/vsock "$@"'
    ' >"$PLAYED/out" 2>&1 & echo $! >"$PLAYED/pid"',
}
POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB"

INSIDE = """
set -e
for at in /var/lib /var/log /opt /sys /etc; do mount -t tmpfs tmpfs $at; done
mkdir -p $POOL /sys/module/nitro_enclaves/parameters
bash "$PLAYED/start.sh" </dev/null || true
cat /var/lib/nitro-workflow/start.json
cat /var/log/nitro-workflow-start.log >"$PLAYED/log"
cp -r /opt "$PLAYED/opt"
cp -r /var/lib/nitro-workflow "$PLAYED/state"
cp /etc/nitro_enclaves/allocator.yaml "$PLAYED/" 2>/dev/null || true
[ ! -s "$PLAYED/pid" ] || kill "$(cat "$PLAYED/pid")" 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "parent.tar.gz"
    with path.open("wb") as sink:
        write_bundle(sink, PARENT.folders)
    return path


def sent(archive: Path) -> SentFile:
    data = archive.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return SentFile("bucket", f"instance/{digest}/parent.tar.gz", len(data), digest)


def start_of(program: SentFile, **more: Any) -> ParentStart:
    fields = {"memory_mib": 1024, "cpus": 2, "stop_minutes": 120, **more}
    return ParentStart("eu-central-1", "https://127.0.0.1:9", program, PARENT, **fields)


@pytest.fixture
def run(archive: Path, tmp_path: Path, require: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    probe = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]
    require("sandbox", subprocess.run(probe, check=False).returncode == 0, "user namespaces")
    monkeypatch.setattr(user_data, "RETRY_SECONDS", 0)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in PLAYED.items():
        (programs / name).write_text(PROGRAM + body + "\n")
        (programs / name).chmod(0o755)
    (programs / "python3.12").symlink_to(sys.executable)
    shutil.copy(archive, tmp_path / "parent.tar.gz")

    def start(fails: str = "", *, pages: int = 512, cpus: str = "1,3", program: Any = None) -> Any:
        text = start_of(program or sent(archive)).text()
        # The device is the kernel's, and no file of a namespace can stand in for it.
        text = text.replace("-e /dev/nitro_enclaves", f"-e {tmp_path}/device")
        if "device" not in fails:
            (tmp_path / "device").touch()
        (tmp_path / "start.sh").write_text(text)
        done = subprocess.run(
            [*probe[:-1], "bash", "-c", INSIDE],
            env={
                "PATH": f"{programs}:{os.defpath}",
                "PLAYED": str(tmp_path),
                "POOL": POOL,
                "FAILS": fails,
                "PAGES": str(pages),
                "CPU_IDS": cpus,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return start


def test_it_ends_ready_with_the_parent_answering(run: Any, tmp_path: Path) -> None:
    assert run() == {"state": "ready", "step": "ready", "reason": ""}, log(tmp_path)
    calls = (tmp_path / "calls").read_text()
    assert "shutdown -h +120\n" in calls
    assert (
        "dnf install -y -q aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel python3.12" in calls
    )
    assert "--property=User=nitro-workflow" in calls
    assert (tmp_path / "allocator.yaml").read_text() == "---\nmemory_mib: 1024\ncpu_count: 2\n"
    told = (tmp_path / "state" / "instance" / "proxy.log").read_text()
    assert "vsock port 8000 -> 127.0.0.1:9" in told
    status = json.loads((tmp_path / "state" / "instance" / "status.json").read_text())
    assert {name: one["exit"] for name, one in status.items()} == {"proxy": None, "parent": None}


def test_what_it_leaves_answers_requests(run: Any, tmp_path: Path) -> None:
    run()
    wrapper = (tmp_path / "opt" / "nitro-workflow" / "answer").read_text()
    program = tmp_path / "opt" / "nitro-workflow" / "parent"
    here = wrapper.replace("/opt/nitro-workflow/parent", str(program))
    (tmp_path / "answer").write_text(here)
    text = base64.b64encode(json.dumps({"op": "trace", "answer": "a", "bucket": "b"}).encode())
    done = subprocess.run(
        ["sh", str(tmp_path / "answer"), text.decode()],
        env={"PATH": f"{tmp_path / 'bin'}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout) == {"ok": []}, done.stderr


@pytest.mark.parametrize(
    ("fails", "step", "reason"),
    [
        ("shutdown", "clock", "status 3"),
        ("dnf", "packages", "dnf has not installed the packages"),
        ("modprobe", "module", "no module nitro_enclaves"),
        ("device", "module", "without EnclaveOptions"),
        ("systemctl", "allocator", "status 3"),
        ("aws", "program", "cannot be got from the bucket"),
        ("useradd", "user", "status 3"),
        ("systemd-run", "parent", "status 3"),
    ],
)
def test_what_fails_stands_in_the_marker(
    run: Any, tmp_path: Path, fails: str, step: str, reason: str
) -> None:
    marker = run(fails)
    assert (marker["state"], marker["step"]) == ("failed", step), log(tmp_path)
    assert reason in marker["reason"]
    assert ("systemd-run" in (tmp_path / "calls").read_text()) is (step == "parent")


@pytest.mark.parametrize(
    ("pages", "cpus", "reason"),
    [(0, "1,3", "huge pages of 0 MiB"), (511, "1,3", "of 1022 MiB"), (512, "", "no CPUs")],
)
def test_an_allocator_that_ends_well_and_sets_nothing_apart_is_noticed(
    run: Any, pages: int, cpus: str, reason: str
) -> None:
    marker = run(pages=pages, cpus=cpus)
    assert (marker["state"], marker["step"]) == ("failed", "pages")
    assert reason in marker["reason"]


def test_another_archive_than_was_sent_is_not_unpacked(
    run: Any, tmp_path: Path, archive: Path
) -> None:
    other = sent(archive)
    marker = run(program=SentFile(other.bucket, other.key, other.size, "00" * 32))
    assert (marker["state"], marker["step"]) == ("failed", "program")
    assert "not the one that was sent" in marker["reason"]
    assert not (tmp_path / "opt" / "nitro-workflow" / "parent").exists()


# -- the text --------------------------------------------------------------------------------------


def test_shellcheck_finds_nothing(archive: Path, tmp_path: Path, require: Any) -> None:
    require("interop", shutil.which("shellcheck") is not None, "shellcheck")
    (tmp_path / "start.sh").write_text(start_of(sent(archive)).text())
    done = subprocess.run(
        ["shellcheck", str(tmp_path / "start.sh")], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_values_are_quoted_and_fit_in(archive: Path) -> None:
    text = start_of(sent(archive)).text()
    assert len(text.encode()) <= 16 * 1024
    values = {"REGION": "x'; reboot; '", "A": "$(reboot)"}
    head = start_script(values).partition("set -euo")[0]
    done = subprocess.run(
        ["bash", "-c", f'{head}\nprintf %s "$REGION$A"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == "".join(values.values())


def log(tmp_path: Path) -> str:
    return (tmp_path / "log").read_text()
