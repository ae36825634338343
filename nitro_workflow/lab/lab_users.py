"""Who uses a lab at the moment: the last JupyterLab to end stops its processes."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["LabUsers"]


class LabUsers:
    """A shared lock on the lab's folder, which the kernel releases however its holder ends.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> with LabUsers(folder) as first:
    ...     with LabUsers(folder) as second:
    ...         second.last()
    ...     first.last()
    False
    True
    """

    def __init__(self, lab: Path) -> None:
        self._path = lab
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def last(self) -> bool:
        """Tell whether nobody else uses the lab; whoever begins now waits for this one's end."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            return False
        return True
