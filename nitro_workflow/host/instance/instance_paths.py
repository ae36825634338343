"""Where an instance's files are: the one place that knows, for both sides of its boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = [
    "CONTROL_SOCKET",
    "LOGS",
    "LONGEST_SOCKET",
    "RUN_SOCKET",
    "STATE",
    "STATUS_FILE",
    "TRACE_FILE",
    "VSOCK_FOLDER",
    "instance_path",
    "instance_paths",
    "vsock_folder",
]

CONTROL_SOCKET: Final = "control.sock"
"""Where the parent application listens."""

RUN_SOCKET: Final = "run.sock"
"""Where the first process runs the administrator's commands."""

TRACE_FILE: Final = "trace.jsonl"
STATUS_FILE: Final = "status.json"
STATE: Final = "state"
"""The folder of what the instance stores."""

VSOCK_FOLDER: Final = "vsock"
"""The folder that plays vsock: one subfolder a CID."""

LOGS: Final = {"instance": "instance.log", "parent": "parent.log", "proxy": "proxy.log"}
"""Program → its log."""

_FOLDER: Final = "instance"

LONGEST_SOCKET: Final = len(f"/{_FOLDER}/i-0123456789abcdef0/{CONTROL_SOCKET}.tmp")
"""Characters below the runtime folder: AF_UNIX allows 107 bytes in all."""


def instance_path(runtime: Path, instance_id: str) -> Path:
    """Return an instance's folder below the lab's runtime folder."""
    return runtime / _FOLDER / instance_id


def vsock_folder(runtime: Path, instance_id: str) -> Path:
    """Return the folder that plays vsock for an instance's programs."""
    return instance_path(runtime, instance_id) / VSOCK_FOLDER


def instance_paths(runtime: Path) -> list[Path]:
    """Return the folders of every instance that there was, in order of their names."""
    return sorted(path for path in (runtime / _FOLDER).glob("*") if path.is_dir())
