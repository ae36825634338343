"""The lab's folder: its layout, its lock, and the records of the steps, each written atomically.

::

    <lab>/lab.json            what this folder is: format, when it was made, its settings
          lock                one step at a time, whoever runs it steps/P1.json …     the record of
          the last good run of each step owner/ developer/   each party's own files; `owner/` never
          holds a plaintext key jobs/               what the parent answered about each job, kept
          when the instance is gone cloud/ hypervisor/  the state of the two background processes
          logs/
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import LabError
from nitro_workflow.host import LONGEST_SOCKET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "FORMAT",
    "LabFolder",
    "default_folder",
    "read_json",
    "runtime_folder",
    "save",
]

FORMAT: Final = 1
"""Version of the folder's layout; another one is refused, never guessed at."""

LOCK_SECONDS: Final = 120.0
"""How long a step waits for another notebook's step: the longest step takes a tenth of that."""

AF_UNIX_LIMIT: Final = 107
"""Bytes of a Unix socket's path, ``sun_path`` less its NUL (unix(7))."""

_PARTS = ("steps", "owner", "developer", "jobs", "cloud", "hypervisor", "logs")


def default_folder() -> Path:
    """Return the lab's folder: ``NITRO_WORKFLOW_LAB``, else one for each user."""
    if named := os.environ.get("NITRO_WORKFLOW_LAB"):
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "nitro-workflow" / "lab"


def runtime_folder(lab: Path) -> Path:
    """Return (and make, mode 0700) the short folder where the lab's sockets are.

    Raises `LabError` where the path would be too long for a Unix socket, or belongs to another
    user.
    """
    name = hashlib.sha256(os.fsencode(lab.resolve())).hexdigest()[:12]
    uid = os.getuid()
    base = os.environ.get("XDG_RUNTIME_DIR")
    parent = (
        Path(base) / "nitro-workflow"
        if base
        else Path(tempfile.gettempdir()) / f"nitro-workflow-{uid}"
    )
    if len(os.fsencode(parent / name)) + LONGEST_SOCKET > AF_UNIX_LIMIT:
        parent = Path("/tmp") / f"nitro-workflow-{uid}"  # noqa: S108 - made 0700 and its owner checked below
    folder = parent / name
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not through a link: in /tmp anyone may have made one, and may turn it elsewhere later.
        found = parent.lstat()
        if found.st_uid == uid and stat.S_ISDIR(found.st_mode):
            parent.chmod(0o700)
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
    except OSError as error:
        raise LabError(
            f"cannot make {folder}: {error.strerror}",
            expected="a folder of this user's for the lab's sockets",
            where="runtime folder",
            next="set XDG_RUNTIME_DIR to a folder that you may write",
        ) from error
    kind = "is a link" if stat.S_ISLNK(found.st_mode) else "exists"
    raise LabError(
        f"{parent} {kind} and belongs to user {found.st_uid}",
        expected=f"a folder of user {uid}",
        where="runtime folder",
        next="set XDG_RUNTIME_DIR to a folder of your own",
    )


def save(path: Path, data: bytes) -> None:
    """Write a file of the lab: private, whole or not at all, there after a power cut.

    Raises `LabError` where it cannot be written.
    """
    write_atomic(path, data, mode=0o600, durable=True, failure=LabError)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of the lab; raises `LabError` where it is half-written."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LabError(
            f"not a JSON object: {error}",
            expected="a file written by the lab",
            where=str(path),
            next=f"remove {path.name} and run the step again",
        ) from error
    if not isinstance(value, dict):
        raise LabError(
            f"a JSON {type(value).__name__}",
            expected="a JSON object",
            where=str(path),
            next=f"remove {path.name} and run the step again",
        )
    return value


@dataclass(slots=True)
class LabFolder:
    """One lab's folder on disk; `open` makes it where it is missing.

    >>> LabFolder.open(Path("/tmp/lab")).path.name  # doctest: +SKIP
    'lab'
    """

    path: Path
    _mutex: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _depth: int = 0
    _file: Any = None

    @classmethod
    def open(cls, path: Path | str | None = None) -> LabFolder:
        """Open or make the folder. Raises `LabError` for what is not, or not wholly, a lab's."""
        folder = Path(path).expanduser().absolute() if path else default_folder().absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            present = sorted(entry.name for entry in folder.iterdir())
        except OSError as error:
            raise LabError(
                f"{error.strerror}: {folder}",
                expected="a folder that you may write",
                where="lab folder",
                next="name another one with --lab or NITRO_WORKFLOW_LAB",
            ) from error
        lab = cls(folder)
        if "lab.json" not in present:
            lab._make(present)
        lab._check()
        return lab

    def _make(self, present: list[str]) -> None:
        foreign = [
            name for name in present if name not in _PARTS and name != "lock" and name[0] != "."
        ]
        if foreign:
            raise LabError(
                f"{self.path} holds {foreign[0]} and no lab.json",
                expected="an empty folder or a lab's",
                where="lab folder",
                next="name another folder with --lab, or empty this one",
            )
        record = {"format": FORMAT, "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self._parts()
        save(self.path / "lab.json", _dump(record))

    def _check(self) -> None:
        record = read_json_or_advise(self.path)
        if record.get("format") != FORMAT:
            raise LabError(
                f"format {record.get('format')!r}",
                expected=f"format {FORMAT}",
                where=str(self.path / "lab.json"),
                next="name a new folder with --lab: this one was made by another version",
            )
        self._parts()

    def _parts(self) -> None:
        for part in _PARTS:
            (self.path / part).mkdir(mode=0o700, exist_ok=True)

    def settings(self) -> dict[str, Any]:
        """Return the lab's settings (``size`` in bytes of the data set, ``seed``)."""
        return dict(read_json_or_advise(self.path).get("settings", {}))

    def change_settings(self, **changes: Any) -> None:
        """Keep some settings in ``lab.json``."""
        record = read_json_or_advise(self.path)
        settings = {**record.get("settings", {}), **changes}
        if settings != record.get("settings"):
            save(self.path / "lab.json", _dump({**record, "settings": settings}))

    def record(self, step: str) -> dict[str, Any] | None:
        """Return the record of a step's last good run, or None. A damaged record counts as none."""
        path = self.path / "steps" / f"{step}.json"
        if not path.exists():
            return None
        try:
            return read_json(path)
        except LabError:
            return None

    def recorded(self) -> list[str]:
        """Return the numbers of the steps that have a record, damaged or not."""
        return sorted(path.stem for path in (self.path / "steps").glob("[!.]*.json"))

    def keep(self, step: str, record: Mapping[str, Any]) -> None:
        """Write the record of a step, whole or not at all."""
        save(self.path / "steps" / f"{step}.json", _dump(record))

    def forget(self, step: str) -> None:
        """Drop the record of a step."""
        (self.path / "steps" / f"{step}.json").unlink(missing_ok=True)

    def touch(self) -> None:
        """Say that the lab is in use: the idle watch counts from here."""
        (self.path / "lock").touch()

    @contextlib.contextmanager
    def lock(self, what: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the lab for one step; the same thread may enter again.

        Raises `LabError` that names the holder when another process keeps it for ``seconds``.
        """
        if not self._mutex.acquire(timeout=seconds):
            raise _busy("another thread of this process", self.path)
        try:
            if self._depth == 0:
                self._file = _lock_file(self.path / "lock", what, seconds)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._file.close()
        finally:
            self._mutex.release()


def read_json_or_advise(folder: Path) -> dict[str, Any]:
    """Return ``lab.json``; a damaged one is a `LabError` that says what is safe to do."""
    try:
        return read_json(folder / "lab.json")
    except LabError as error:
        raise LabError(
            error.found,
            expected="the lab's own record",
            where=str(folder / "lab.json"),
            next="stop its processes with `nitro-workflow down`, then name a new folder with --lab",
        ) from error


def _dump(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n"


def _lock_file(path: Path, what: str, seconds: float) -> Any:
    """Return the locked file; its text says who holds it."""
    deadline = time.monotonic() + seconds
    file = path.open("a+")
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                file.seek(0)
                holder = file.read(200) or "another process"
                file.close()
                raise _busy(holder, path.parent) from error
            time.sleep(0.05)
        else:
            break
    file.truncate(0)
    file.write(f"{what} in process {os.getpid()}")
    file.flush()
    return file


def _busy(holder: str, folder: Path) -> LabError:
    return LabError(
        f"the lab is busy: {holder}",
        expected="one step at a time",
        where=str(folder),
        next="wait for it to end, or interrupt it",
    )
