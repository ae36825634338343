"""Standard input, output and error as a command finds them: closed, full, or of few letters."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["OUTPUT", "ReaderGone", "finish_output", "reader_may_leave", "use_streams"]

OUTPUT: Final = "standard output"
"""The file name of an error that writing there raised."""

_CLOSED: Final = ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))


class ReaderGone(Exception):
    """The program that read standard output has ended (``| head``)."""


class _Descriptor(io.FileIO):
    """Standard output, which names itself in its errors; silent from the first one on.

    The interpreter flushes once more when it ends, and would print that it could not.
    """

    _broken = False

    def write(self, data: ReadableBuffer, /) -> int:
        if self._broken:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._broken = True
            error.filename = OUTPUT
            raise


def use_streams() -> None:
    """Make the three streams safe to use, whatever they are.

    A descriptor that was closed is taken, so that no file or socket of ours gets its number and is
    written into by a print. It is opened the wrong way round: using it fails, as it should.
    """
    for descriptor, wrong_way in _CLOSED:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, wrong_way)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = _output(1, sys.stdout)
    sys.stderr = _output(2, sys.stderr)


def _output(descriptor: int, found: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(descriptor, "w", closefd=False)),
        encoding=getattr(found, "encoding", None) or "utf-8",
        # A terminal without ✓ gets \u2713, and a file name of other bytes is shown as such.
        errors="backslashreplace",
        line_buffering=getattr(found, "line_buffering", False),
        write_through=getattr(found, "write_through", False),
    )


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Tell a pipe whose reader has left from other broken pipes (a socket's), as `ReaderGone`."""
    try:
        yield
    except BrokenPipeError as error:
        if error.filename == OUTPUT:
            raise ReaderGone from error
        raise


def finish_output() -> None:
    """Write what is still held back; raises OSError where it cannot be written."""
    with reader_may_leave():
        sys.stdout.flush()
