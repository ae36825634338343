"""An instance's folder, which belongs to the instance: nothing in it is trusted by name.

The administrator can put a link, a pipe or nonsense where the hypervisor looks. So leftovers are
removed before anything is written, and what is read is opened without following links, if it is a
regular file, and only so much of it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.host.instance.instance_network import hosts_file
from nitro_workflow.host.instance.instance_paths import (
    CONTROL_SOCKET,
    LOGS,
    RUN_SOCKET,
    STATE,
    STATUS_FILE,
    TRACE_FILE,
)
from nitro_workflow.host.sandbox import launcher as sandboxes
from nitro_workflow.regular_file import read_regular

if TYPE_CHECKING:
    from nitro_workflow.host.instance.cloud_records import CloudAddress

__all__ = ["answers", "clear", "last_lines", "prepare", "programs"]

STATUS_LIMIT: Final = 16 * 1024  # bytes; two programs need 100
TAIL: Final = 600  # bytes of a log that go into an error

_SOCKETS: Final = (CONTROL_SOCKET, RUN_SOCKET)
_MADE_ANEW: Final = (
    *_SOCKETS,
    *(STATUS_FILE, f"{STATUS_FILE}.new", "vsock", "vsock-proxy.yaml", "hosts"),
    *LOGS.values(),
)
_FOLDERS: Final = ("vsock", "vsock/3", STATE)


def prepare(folder: Path, address: CloudAddress, user: int | None) -> None:
    """Make the folder, or clear what an earlier run left; ``state`` and ``trace.jsonl`` are kept.

    ``user`` gets everything, where root makes an instance of another user.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _MADE_ANEW:
        _remove(folder / name)
    for name in (TRACE_FILE, STATE):
        if (folder / name).is_symlink():
            (folder / name).unlink()
    for name in _FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    entry = f"- {{address: '{address.host}', port: {address.port}}}"
    (folder / "vsock-proxy.yaml").write_text(f"allowlist:\n{entry}\n", "utf-8")
    (folder / "hosts").write_text(hosts_file(address), "utf-8")
    (folder / TRACE_FILE).touch(mode=0o600)
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)


def clear(folder: Path) -> None:
    """Remove what only a running instance has."""
    for name in (*_SOCKETS, STATUS_FILE):
        _remove(folder / name)


def programs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return ``{program: {"pid", "exit"}}`` as the instance's first process wrote it."""
    try:
        body = json.loads(read_regular(folder / STATUS_FILE, STATUS_LIMIT))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    return {
        str(name): {"pid": it.get("pid"), "exit": it.get("exit")}
        for name, it in body.items()
        if isinstance(it, dict)
    }


def last_lines(path: Path) -> str:
    """Return the end of a log as one line."""
    text = read_regular(path, TAIL, from_end=True).decode("utf-8", "replace").strip()
    return " ".join(text.split("\n")[-4:]) or "it wrote nothing"


def answers(path: Path) -> bool:
    """Return whether someone listens on the socket at ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(sandboxes.KILL_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
