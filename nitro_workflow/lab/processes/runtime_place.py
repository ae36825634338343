"""Where a lab's sockets are: a short private folder, remembered in the lab.

The environment chooses it once. From then on every terminal, kernel and login finds it in the lab
folder: a lab is its folder, not its environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import LabError
from nitro_workflow.host import LONGEST_SOCKET
from nitro_workflow.lab.lab_folder import save
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from nitro_workflow.lab.lab_folder import LabFolder
    from nitro_workflow.lab.processes.process_table import LabProcess

__all__ = ["choose_runtime", "end_orphan", "known_runtime", "make_runtime", "remove_runtime"]

AF_UNIX_LIMIT: Final = 107
"""Bytes of a Unix socket's path, ``sun_path`` less its NUL (unix(7))."""

RECORD: Final = "runtime.json"
_NAME: Final = re.compile(r"[0-9a-f]{12}")
_PARENT: Final = re.compile(r"nitro-workflow(-\d+)?")


def known_runtime(folder: LabFolder) -> Path:
    """Return the folder that the lab remembers, else the one that it would get; makes nothing."""
    try:
        record = json.loads((folder.path / RECORD).read_bytes())
        known, made_for = Path(str(record["path"])), record["lab"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return choose_runtime(folder.path)
    # A copy of a lab brings the record along, and must not share the sockets.
    return known if made_for == _inode(folder.path) else choose_runtime(folder.path)


def make_runtime(folder: LabFolder) -> Path:
    """Make the folder where it is missing, and remember it.

    Raises `LabError` where it cannot be made, or belongs to another user.
    """
    known = known_runtime(folder)
    try:
        _make(known)
    except LabError:
        chosen = choose_runtime(folder.path)
        if chosen == known:
            raise
        known = chosen  # it was in a login's folder, and that login is over
        _make(known)
    record = json.dumps({"path": str(known), "lab": _inode(folder.path)}).encode()
    path = folder.path / RECORD
    if not path.exists() or path.read_bytes() != record:
        save(path, record)
    return known


def remove_runtime(folder: Path) -> None:
    """Remove a lab's folder of sockets once nothing serves them; `make_runtime` makes it again.

    With it go what stopped instances stored: copies of ciphertext, on a disk that is memory. Only
    what `make_runtime` can have made is removed.
    """
    if _NAME.fullmatch(folder.name) and _PARENT.fullmatch(folder.parent.name):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.getuid():
                remove_tree(folder)


def end_orphan(found: LabProcess) -> None:
    """End a process whose lab has gone, with the sockets that it served."""
    found.end()
    if found.runtime and not found.alive:
        remove_runtime(Path(found.runtime))


def choose_runtime(lab: Path) -> Path:
    """Return the folder that the environment suggests; /tmp's where its path would be too long."""
    name = hashlib.sha256(os.fsencode(lab.resolve())).hexdigest()[:12]
    own = f"nitro-workflow-{os.getuid()}"
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = base.startswith("/") and _is_own_folder(Path(base))
    parent = Path(base) / "nitro-workflow" if usable else Path(tempfile.gettempdir()) / own
    if len(os.fsencode(parent / name)) + LONGEST_SOCKET > AF_UNIX_LIMIT:
        parent = Path("/tmp") / own  # noqa: S108 - made 0700 and its owner checked in `_make`
    return parent / name


def _is_own_folder(path: Path) -> bool:
    """Tell whether it is there and this user's: what `su` leaves in the environment is not."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _make(folder: Path) -> None:
    parent, uid = folder.parent, os.getuid()
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not through a link: in /tmp anyone may have made one, and may turn it elsewhere later.
        found = parent.lstat()
        if found.st_uid == uid and stat.S_ISDIR(found.st_mode):
            parent.chmod(0o700)
            folder.mkdir(mode=0o700, exist_ok=True)
            return
    except OSError as error:
        raise LabError(
            f"cannot make {folder}: {error.strerror}",
            expected="a folder of this user's for the lab's sockets",
            where="runtime folder",
            next="set XDG_RUNTIME_DIR to a folder that you may write",
        ) from error
    kind = "is a link" if stat.S_ISLNK(found.st_mode) else "exists"
    raise LabError(
        f"{parent} {kind} and belongs to user {found.st_uid}",
        expected=f"a folder of user {uid}",
        where="runtime folder",
        next="set XDG_RUNTIME_DIR to a folder of your own",
    )


def _inode(lab: Path) -> list[int]:
    found = lab.stat()
    return [found.st_dev, found.st_ino]
