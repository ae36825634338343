"""Whether a lab's disk has the room that a process needs to start, and to say why it did not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nitro_workflow.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["require_room"]


def require_room(folder: Path, needed: int) -> None:
    """Raise `LabError` where fewer than ``needed`` bytes are free for this user on the disk."""
    disk = os.statvfs(folder)
    blocks = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
    free = blocks * disk.f_frsize
    if free < needed:
        raise LabError(
            f"No space left on device: {free} bytes are free",
            expected=f"{needed} bytes to start in",
            where=str(folder),
            next="make room on that disk, then run it again: nothing was lost",
        )
