"""Files that appear whole or not at all: the one way in which the package replaces a file.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     write_atomic(Path(folder, "record.json"), b"{}")
...     with atomic_file(Path(folder, "stream")) as fd:
...         write_all(fd, b"piece by piece")
...     sorted((path.name, path.read_bytes()) for path in Path(folder).iterdir())
[('record.json', b'{}'), ('stream', b'piece by piece')]
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from nitro_workflow.errors import NitroWorkflowError, ServiceError

__all__ = ["atomic_file", "write_all", "write_atomic"]


@contextlib.contextmanager
def atomic_file(
    path: Path,
    *,
    mode: int = 0o666,
    durable: bool = False,
    failure: type[NitroWorkflowError] = ServiceError,
) -> Iterator[int]:
    """Yield the descriptor of a new file that takes ``path``'s place when the block ends well.

    When it does not, nothing is left and ``path`` is as it was. ``mode`` is the new file's, less
    the umask. ``durable`` waits for the disk: the whole file is there even after a power cut.
    Raises ``failure`` where the file cannot be made or written, and for a device, pipe or socket:
    a file in the place of ``/dev/null`` would be the machine's.
    """
    _require_no_device(path, failure)
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}")
    try:
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except (OSError, ValueError) as error:
        raise _cannot(path, error, failure) from error
    try:
        try:
            yield fd
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot(path, error, failure) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(
    path: Path,
    data: bytes,
    *,
    mode: int = 0o666,
    durable: bool = False,
    failure: type[NitroWorkflowError] = ServiceError,
) -> None:
    """Write all of ``data`` or nothing, as `atomic_file` does."""
    with atomic_file(path, mode=mode, durable=durable, failure=failure) as fd:
        write_all(fd, data)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _require_no_device(path: Path, failure: type[NitroWorkflowError]) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder cannot be replaced by a file
        raise _cannot(path, OSError(errno.EINVAL, "a device, pipe or socket"), failure)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _cannot(
    path: Path, error: OSError | ValueError, failure: type[NitroWorkflowError]
) -> NitroWorkflowError:
    reason = error.strerror if isinstance(error, OSError) else None
    return failure(
        reason or str(error),
        expected="a file that can be written",
        where=ascii(str(path))[1:-1] if not str(path).isprintable() else str(path),
        next="Check the folder, its permissions and the space left.",
    )
