"""Reading a file that somebody else may have put there: only if it is a plain one, only so much."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from nitro_workflow.system_errors import gone_is_nothing

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

__all__ = ["open_finite", "read_regular"]


def read_regular(path: Path, limit: int, *, from_end: bool = False) -> bytes:
    """Return up to ``limit`` bytes of a regular file; nothing for a link, a pipe, no file.

    Behind a link there could be /dev/zero, and a pipe would wait for ever. Raises OSError where
    this process has no descriptor left to look with: what is there is then not known.

    >>> from pathlib import Path
    >>> read_regular(Path("/dev/zero"), 16)
    b''
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = None
    with gone_is_nothing():
        descriptor = os.open(path, flags)
    if descriptor is None:
        return b""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return b""
        at, pieces = (max(found.st_size - limit, 0) if from_end else 0), []
        while limit > 0 and (piece := os.pread(descriptor, limit, at)):
            pieces.append(piece)
            at, limit = at + len(piece), limit - len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def open_finite(path: Path) -> BufferedReader:
    """Open a file to be read to its end; raises OSError for a device as for what is not there.

    >>> from pathlib import Path
    >>> open_finite(Path("/dev/zero"))
    Traceback (most recent call last):
    OSError: [Errno 22] a device, which has no end: '/dev/zero'
    """
    file = path.open("rb")
    kind = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
        file.close()
        raise OSError(errno.EINVAL, "a device, which has no end", str(path))
    return file
