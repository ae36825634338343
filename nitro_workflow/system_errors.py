"""What the operating system and Python's own limits say, as errors of the package.

One translation, for the two edges where a person would otherwise meet a traceback: the command
and a notebook. Code below says more where it knows more, and raises the package's errors itself.

>>> str(as_package_error(FileNotFoundError(2, "No such file or directory", "/nope")))
'/nope: No such file or directory'
>>> as_package_error(KeyError("a fault of the program")) is None
True
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import InputError, NitroWorkflowError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RUN_OUT", "as_package_error", "gone_is_nothing"]

RUN_OUT: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS))
"""What says that this process or machine lacks something, and nothing of what was asked for."""

_ROOM: Final = "make room there, then run it again: what was there before is kept"
_NEXT: Final = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: "make the file system writable, or name another folder",
    errno.EMFILE: "raise the limit with `ulimit -n`, or end other processes",
    errno.ENFILE: "end other processes: the machine has no descriptor left",
    errno.ENOMEM: "end other processes: the machine has no memory left",
}
"""What a machine lacks, and what helps; these are no fault of what was given."""

_GIVEN: Final = {
    errno.ENOENT: "name a file or folder that is there",
    errno.ENOTDIR: "a part of this path is a file: name a folder",
    errno.EISDIR: "this is a folder: name a file",
    errno.ENOTEMPTY: "name an empty folder",
    errno.EEXIST: "name what is not there yet",
    errno.EACCES: "change its permissions, or run as another user",
    errno.EPERM: "change its permissions, or run as another user",
    errno.ENAMETOOLONG: "a name has 255 bytes at most, a path 4,096",
    errno.ELOOP: "these links lead back to themselves: name the file itself",
    errno.EINVAL: "name a regular file",
    errno.ENXIO: "name a regular file",
    errno.ESPIPE: "name a regular file: this one can be read only once",
    errno.EBADF: "open it: it was closed when the command began",
}
"""What is wrong with a path or a stream that was given."""


@contextlib.contextmanager
def gone_is_nothing() -> Iterator[None]:
    """Pass over what is not there any more; raises OSError where no descriptor was left to look."""
    try:
        yield
    except OSError as error:
        if error.errno in RUN_OUT:
            raise


def as_package_error(error: BaseException) -> NitroWorkflowError | None:
    """Return the package's error for what the system or a limit of Python said; else None."""
    if isinstance(error, NitroWorkflowError):
        return error
    if isinstance(error, OSError):
        return _from_system(error)
    if isinstance(error, UnicodeError):
        return InputError(
            "text that is not UTF-8",
            expected="UTF-8 in names, paths and files",
            next="name or save it in UTF-8",
        )
    if isinstance(error, RecursionError):
        return InputError(
            "a value nested too deeply to be read",
            expected="a nesting that a person could read",
            next="look at what made it: no tool of AWS writes such JSON",
        )
    if isinstance(error, RuntimeError) and "Symlink loop" in str(error):  # pathlib before 3.13
        return InputError(
            "links that lead back to themselves", expected="a path", next=_GIVEN[errno.ELOOP]
        )
    if isinstance(error, MemoryError):
        return ServiceError(
            "no memory left", expected="memory for what was given", next=_NEXT[errno.ENOMEM]
        )
    if isinstance(error, OverflowError) and "date value" in str(error):
        return InputError(
            "a time beyond the calendar", expected="years 1 to 9999", next="name another time"
        )
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return InputError(
            "a NUL in a name or path", expected="a path", next="take the NUL out of the name"
        )
    return None


def _from_system(error: OSError) -> NitroWorkflowError:
    said = error.strerror or str(error) or type(error).__name__
    where = "" if error.filename is None else os.fsdecode(error.filename)
    if error.errno in _GIVEN:
        return InputError(said, where=where, next=_GIVEN[error.errno])
    return ServiceError(
        said,
        expected="a machine that does its part",
        where=where,
        next=_NEXT.get(error.errno or 0, "run it again; see the system's log where it stays so"),
    )
