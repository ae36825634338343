"""An instance's folder, which belongs to the instance: nothing in it is trusted by name.

The administrator can put a link, a pipe or nonsense where the hypervisor looks. So leftovers are
removed before anything is written, and what is read is opened without following links, if it is a
regular file, and only so much of it.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.host.instance.disk_watch import excess
from nitro_workflow.host.instance.instance_disk import own_everything
from nitro_workflow.host.instance.instance_network import hosts_file
from nitro_workflow.host.instance.instance_paths import (
    CONTROL_SOCKET,
    RUN_SOCKET,
    STATE,
    STATUS_FILE,
    TRACE_FILE,
)
from nitro_workflow.host.instance.instance_socket import connect
from nitro_workflow.host.instance.instance_spec import allow_list
from nitro_workflow.host.sandbox import launcher as sandboxes
from nitro_workflow.regular_file import read_regular
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from nitro_workflow.cloud import Endpoint

__all__ = ["answers", "clear", "folder_mode", "last_lines", "names_both", "prepare", "programs"]

STATUS_LIMIT: Final = 16 * 1024  # bytes; two programs need 100
TAIL: Final = 600  # bytes of a log that go into an error

_GONE_WITH_IT: Final = (CONTROL_SOCKET, RUN_SOCKET, STATUS_FILE)
_KEPT: Final = {STATE: stat.S_ISDIR, TRACE_FILE: stat.S_ISREG}
_FOLDERS: Final = ("vsock", "vsock/3", STATE)


def prepare(folder: Path, address: Endpoint, user: int | None, disk: int) -> None:
    """Make the folder, or clear what an earlier run left; ``state`` and ``trace.jsonl`` are kept.

    What has grown over ``disk`` bytes is not, nor what is nested too deeply. ``user`` gets
    everything but the folder itself, where root makes an instance of another user: its mode is then
    not theirs to change.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.name not in _KEPT or not _KEPT[path.name](path.lstat().st_mode):
            remove_tree(path)
    if excess(folder, disk):  # it would be ended at once again
        for name in _KEPT:
            remove_tree(folder / name)
    for name in _FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    (folder / "vsock-proxy.yaml").write_text(allow_list(address), "utf-8")
    (folder / "hosts").write_text(hosts_file(address), "utf-8")
    (folder / TRACE_FILE).touch(mode=0o600)
    if user is not None:
        own_everything(folder, user)
        os.chown(folder, 0, user)
    folder.chmod(folder_mode(user))


def folder_mode(user: int | None) -> int:
    """Return the mode of an instance's folder; what is above it lets nobody else in."""
    return 0o700 if user is None else 0o770


def clear(folder: Path) -> None:
    """Remove what only a running instance has."""
    for name in _GONE_WITH_IT:
        remove_tree(folder / name)


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


def names_both(folder: Path) -> bool:
    """Return whether its first process has written that the proxy and the parent run.

    It does so a moment after it has started them: they may be ready before.
    """
    return {"proxy", "parent"} <= programs(folder).keys()


def last_lines(path: Path) -> str:
    """Return the end of a log as one line."""
    text = read_regular(path, TAIL, from_end=True).decode("utf-8", "replace").strip()
    return " ".join(text.split("\n")[-4:]) or "it wrote nothing"


def answers(path: Path) -> bool:
    """Return whether someone listens on the socket at ``path``."""
    try:
        connect(path, sandboxes.KILL_SECONDS).close()
    except OSError:
        return False
    return True
