"""Which QEMU runs machines: this system's where it is new enough, else the one installed for us."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OLDEST", "PROGRAM", "QemuProgram", "cache_folder", "find_qemu", "installed_blobs"]

PROGRAM: Final = "qemu-system-x86_64"

OLDEST: Final = (10, 2)
"""The first with a vhost-user device of any kind that a person may create."""

RECORD: Final = "installed.json"
_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class QemuProgram:
    """How it is started: ``command`` first, then arguments; where its firmware lies."""

    command: tuple[str, ...]
    version: str
    origin: str
    firmware: tuple[str, ...] = ()

    def start(self) -> list[str]:
        """Return the beginning of a command line."""
        places = [word for folder in self.firmware for word in ("-L", folder)]
        return [*self.command, *places]


def cache_folder() -> Path:
    """Return the user's folder for what `install-qemu` fetches; may not exist yet."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "nitro-workflow" / "qemu"


def find_qemu() -> QemuProgram:
    """Return the QEMU to use; raises `HostError` where there is none that is new enough."""
    found = shutil.which(PROGRAM)
    if found is not None:
        program = _described((found,), "this system's")
        if program is not None and _numbers(program.version) >= OLDEST:
            return program
    installed = _installed()
    if installed is not None:
        return installed
    has = f"{PROGRAM} {program.version}" if found and program else f"no {PROGRAM}"
    raise HostError(
        has,
        expected=f"QEMU {OLDEST[0]}.{OLDEST[1]} or later",
        where="host qemu",
        next="`nitro-workflow host install-qemu` fetches one on Debian; else install it",
    )


def installed_blobs() -> Path:
    """Return the folder of boot parts: ``NITRO_CLI_BLOBS``, else those of `install-qemu`.

    Raises `HostError` where neither is there.
    """
    folder = Path(os.environ.get("NITRO_CLI_BLOBS") or cache_folder() / "blobs")
    if folder.is_dir():
        return folder
    raise HostError(
        f"no boot parts in {folder}",
        expected="bzImage, bzImage.config, cmdline, init, nsm.ko",
        where="host qemu",
        next="`nitro-workflow host install-qemu`, or set NITRO_CLI_BLOBS to AWS's folder",
    )


def record_of(folder: Path) -> dict[str, Any]:
    """Return what `install-qemu` wrote of its work; empty where it did not run to its end."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _installed() -> QemuProgram | None:
    folder = cache_folder()
    record = record_of(folder)
    return _from_record(folder, record) if record else None


def _from_record(folder: Path, record: Mapping[str, Any]) -> QemuProgram | None:
    prefix = folder / "prefix"
    libraries = prefix / "usr/lib/x86_64-linux-gnu"
    loader = prefix / "usr/lib64/ld-linux-x86-64.so.2"
    command = (str(loader), "--library-path", str(libraries), str(prefix / "usr/bin" / PROGRAM))
    firmware = tuple(str(prefix / "usr/share" / name) for name in ("qemu", "seabios"))
    return _described(command, f"Debian's {record.get('qemu', '')}, in the cache", firmware)


@functools.cache
def _described(
    command: tuple[str, ...], origin: str, firmware: tuple[str, ...] = ()
) -> QemuProgram | None:
    """Ask the program for its version; None where it does not run."""
    try:
        done = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"version (\d+\.\d+[.\d]*)", done.stdout)
    return QemuProgram(command, match[1], origin, firmware) if match else None


def _numbers(version: str) -> tuple[int, int]:
    first, second = version.split(".")[:2]
    return int(first), int(second)
