"""The second ramdisk as init takes it: ``cmd``, ``env`` and the tree below ``rootfs/``."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from nitro_workflow.image.ramdisk.start_command import ProgramFile, command_problem, first_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nitro_workflow.image.ramdisk.ramdisk_entry import RamdiskEntry

__all__ = ["ApplicationRamdisk"]

ROOT: Final = "rootfs/"
HEADS: Final = 4096  # programs whose first bytes are kept: 4 KiB each
LINES: Final = 64 * 1024  # bytes of ``cmd`` and ``env`` that are read
_TYPES: Final = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "character": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}


@dataclass(slots=True)
class ApplicationRamdisk:
    """What of a ramdisk says whether its application starts; made in one pass over its entries."""

    files: dict[str, ProgramFile] = field(default_factory=dict)
    _lines: dict[str, list[str]] = field(default_factory=dict)
    _heads: int = 0

    @classmethod
    def read(cls, entries: Iterable[RamdiskEntry]) -> ApplicationRamdisk:
        """Return what the entries say; raises `ImageError` where they are damaged."""
        found = cls()
        for entry in entries:
            found._add(entry)
        return found

    def _add(self, entry: RamdiskEntry) -> None:
        head = None
        if entry.kind == "file" and entry.path in ("cmd", "env"):
            text = first_bytes(entry.data(), LINES).decode("utf-8", "surrogateescape")
            self._lines[entry.path] = text.removesuffix("\n").split("\n") if text else []
        elif entry.kind == "file" and entry.mode & 0o111 and entry.size and self._heads < HEADS:
            self._heads += 1
            head = partial(_same, first_bytes(entry.data()))
        mode = _TYPES.get(entry.kind, 0) | entry.mode
        self.files[entry.path] = ProgramFile(mode, entry.target or "", head)

    @property
    def command(self) -> tuple[str, ...]:
        """Return what init would execute: the lines of ``cmd`` that are not empty."""
        return tuple(line for line in self._lines.get("cmd", ()) if line)

    def command_problem(self, architecture: str = "") -> str:
        """Return why its command cannot start, in words; "" where nothing forbids it."""
        root = {
            path.removeprefix(ROOT): file
            for path, file in self.files.items()
            if path.startswith(ROOT)
        }
        if not root:
            return ""  # no root filesystem of nitro-cli's shape: said elsewhere
        return command_problem(
            root, self._lines.get("cmd", []), self._lines.get("env", []), architecture
        )


def _same(head: bytes) -> bytes:
    return head
