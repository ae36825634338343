"""A second cloud on a copy of the lab's state: for settings that the lab's own cloud must keep."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import Endpoint, isolated_session
from nitro_workflow.errors import CloudUnavailable
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.party_policies import COMPUTE_ACCOUNT
from nitro_workflow.lab.processes.background import child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nitro_workflow.lab.engine.lab import Lab

__all__ = ["SecondCloud", "second_cloud"]

READY_SECONDS: Final = 20.0
LEFT_OUT: Final = ("objects", "endpoint.json", "lock", "state.sqlite3*")


@dataclass(frozen=True, slots=True)
class SecondCloud:
    """A cloud of its own process and port; ``folder`` is gone when the block ends."""

    folder: Path

    def endpoint(self) -> Endpoint:
        """Return where it answers."""
        record = json.loads((self.folder / "cloud" / "endpoint.json").read_text())
        return Endpoint(str(record["endpoint"]), str(record["ca"]))

    def find_event(
        self, operation: str, wanted: Callable[[Mapping[str, Any]], bool]
    ) -> dict[str, Any]:
        """Return its own record of a request."""
        keys = json.loads((self.folder / "cloud" / "credentials.json").read_text())
        session = isolated_session(self.endpoint, keys[COMPUTE_ACCOUNT], party="operator")
        return decision_lookup.find_in(session.client("cloudtrail"), operation, wanted)


@contextlib.contextmanager
def second_cloud(lab: Lab, *arguments: str) -> Iterator[SecondCloud]:
    """Run a cloud with other settings on a copy of keys, roles and policies, for one block."""
    with tempfile.TemporaryDirectory(prefix="nitro-workflow-") as name:
        copy = SecondCloud(Path(name))
        _copy_state(lab.path, copy.folder)
        command = [
            sys.executable,
            "-m",
            "nitro_workflow.cloud.local.serve",
            "--lab",
            name,
            *arguments,
        ]
        with (copy.folder / "cloud.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=child_environment()
            )
        try:
            _until_ready(copy.folder, process)
            yield copy
        finally:
            process.terminate()
            process.wait(READY_SECONDS)


def _copy_state(lab: Path, target: Path) -> None:
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(lab / "cloud", target / "cloud", ignore=ignore)
    shutil.copytree(
        lab / "hypervisor", target / "hypervisor", ignore=shutil.ignore_patterns("*.sock")
    )
    source = sqlite3.connect(lab / "cloud" / "state.sqlite3")
    copied = sqlite3.connect(target / "cloud" / "state.sqlite3")
    with contextlib.closing(source), contextlib.closing(copied):
        source.backup(copied)


def _until_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (folder / "cloud" / "endpoint.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CloudUnavailable(
                (folder / "cloud.log").read_text(errors="replace")[-300:] or "it did not start",
                expected="a second cloud",
                where="second cloud",
                next="run the attack again",
            )
        time.sleep(0.02)
