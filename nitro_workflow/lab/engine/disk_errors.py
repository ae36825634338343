"""What a disk does to a step, in the package's own words: full, read-only, a file that is gone."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["disk_errors"]

_REMEDY: Final = {
    errno.ENOSPC: "make room on that disk, then run the step again: nothing was lost",
    errno.EDQUOT: "make room within your quota, then run the step again: nothing was lost",
    errno.EROFS: "make that disk writable, then run the step again: nothing was lost",
    errno.EMFILE: "close some programs, or raise `ulimit -n`, then run the step again",
}


@contextlib.contextmanager
def disk_errors(where: str) -> Iterator[None]:
    """Turn an `OSError` into a `LabError` that says which file, and what to do next."""
    try:
        yield
    except OSError as error:
        written = error.filename2 or error.filename  # of a copy, the file that has no room
        name = f": {written}" if written else ""
        raise LabError(
            f"{error.strerror or error}{name}",
            expected="files of the lab that can be read and written",
            where=where,
            next=_REMEDY.get(error.errno or 0, "run the step before this one again"),
        ) from error
