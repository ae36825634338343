"""A copy of an image that nobody can change, whatever becomes of the file."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules.ecodes import failure

if TYPE_CHECKING:
    from pathlib import Path

    from nitro_workflow.errors import HostError

__all__ = ["sealed_copy"]

SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
PIECE: Final = 16 << 20  # bytes a call


def sealed_copy(path: Path) -> tuple[int, int]:
    """Return ``(descriptor, size in bytes)`` of a sealed memfd with the content of ``path``.

    Raises `HostError` E19 when the file cannot be opened or read, E35 for one that is not regular.
    """
    try:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, "Open", error) from error
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise failure("E35", "EIF file parsing error: not a regular file")
        return _copy(source)
    except OSError as error:
        raise _unreadable(path, "Read", error) from error
    finally:
        os.close(source)


def _copy(source: int) -> tuple[int, int]:
    target = os.memfd_create("eif", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        size = 0
        while count := os.sendfile(target, source, None, PIECE):
            size += count
        fcntl.fcntl(target, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(target)
        raise
    return target, size


def _unreadable(path: Path, operation: str, error: OSError) -> HostError:
    return failure(
        "E19",
        f"File: '{path.name}', failing operation: '{operation}'. {error.strerror}",
        expected="an EIF file",
        next="give the path of the image that was built (step P6)",
    )
