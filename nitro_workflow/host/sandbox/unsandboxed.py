"""Run an image's program with no boundary at all, where a person has asked for just that.

For machines that forbid user namespaces to someone who may not change it. The program is an
ordinary process of this user: it sees every file and the network, and every process of this user
sees its memory. Formats, attestation and policy stay real; the *isolation* is not there, and
everything that shows such an enclave says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host.sandbox import linux
from nitro_workflow.host.sandbox.execution import reap, start
from nitro_workflow.host.sandbox.guest import unpack, vsock_device

if TYPE_CHECKING:
    from nitro_workflow.host.sandbox.guest import Boot

__all__ = ["ROOT_SETTING", "run_without_sandbox"]

ROOT_SETTING = "NITRO_WORKFLOW_UNSAFE_ROOT"
"""Tells a program where its root filesystem lies, which is not ``/`` then."""


def run_without_sandbox(spec: dict[str, Any], boot: Boot) -> int:
    """Unpack below ``spec["unsafe_folder"]`` and run; return the program's exit status."""
    stage = "image"
    try:
        linux.adopt_orphans()
        if spec["image"] is not None:
            spec = {**spec, **_prepared(spec)}
            stage = "vsock"
            vsock_device(boot, Path(spec["unsafe_folder"], "vsock"))
        stage = "program"
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        child = start(spec)
    except (OSError, NitroWorkflowError, ValueError) as error:
        number = getattr(error, "errno", None)
        boot.tell("error", stage=stage, errno=number, text=str(error)[:2000])
        return 1
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    boot.tell("started")
    linux.close_from(3)
    status = reap(child)
    _end_orphans()
    return status


def _prepared(spec: dict[str, Any]) -> dict[str, Any]:
    """Return command and environment that find the root where it was unpacked."""
    folder = Path(spec["unsafe_folder"])
    found = unpack(spec["image"], folder / "image")
    root = folder / "image" / "rootfs"
    environment = {
        **{name: _below(root, value) for name, value in found["environment"].items()},
        ROOT_SETTING: str(root),
        "NITRO_WORKFLOW_VSOCK": f"guest:{folder / 'vsock'}",
    }
    command = [_below(root, word) for word in found["command"]]
    return {"command": command, "environment": environment, "folder": str(root)}


def _below(root: Path, word: str) -> str:
    """Return a path of the image as the path that it has here; other words as they are."""
    place = root / word.lstrip("/")
    return str(place) if word.startswith("/") and place.exists() else word


def _end_orphans() -> None:
    """Kill what the program left: it has come to this process, which adopts orphans."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    while pids := children.read_text("ascii").split():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(pid), 0)
