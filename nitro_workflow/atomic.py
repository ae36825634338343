"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from nitro_workflow.errors import ImageError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[int]:
    """Yield the descriptor of a new file that takes ``path``'s place when the block ends well.

    When it does not, nothing is left and ``path`` is as it was. Raises `ImageError` where the file
    cannot be made or written.
    """
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}")
    try:
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        try:
            yield fd
        finally:
            os.close(fd)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _cannot(path: Path, error: OSError) -> ImageError:
    return ImageError(
        error.strerror or str(error),
        expected="a file that can be written",
        where=str(path),
        next="Check the folder, its permissions and the space left.",
    )
