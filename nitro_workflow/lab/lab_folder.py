"""The lab's folder: its layout, and the records of the steps, each written atomically.

::

    <lab>/lab.json            what this folder is: format, identity, when it was made, settings
          lock                one step at a time, whoever runs it
          runtime.json        where the sockets of this lab are
          launch.json         the token of the launch that P8 began last
          steps/P1.json …     the record of the last good run of each step
          owner/ developer/   each party's own files; `owner/` never holds a plaintext key
          jobs/               what the parent answered about each job, kept when it is gone
          cloud/ hypervisor/  the state of the two background processes
          logs/
          course/ notebooks/  what a learner answered and wrote: no start over takes it away
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import LabError
from nitro_workflow.lab.lab_lock import LOCK_SECONDS, LabLock
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMAT",
    "LabFolder",
    "data_folder",
    "default_folder",
    "read_json",
    "save",
]

FORMAT: Final = 1
"""Version of the folder's layout; another one is refused, never guessed at."""

DRAFT_SECONDS: Final = 60.0
"""No write of a job's record or of a background process takes so long; they hold no lock."""

_LOCKED = ("steps", "owner", "developer")  # written by who holds the lab's lock, nobody else

_DRAFT: Final = re.compile(
    r"\..+\.[0-9a-f]{12}|\.rootfs\.new|\.(attack|fetch|rehearsal|second-cloud)-.+"
)
_KEPT = ("lock", "notebooks", "course")
_NOTES = ("runtime.json", "launch.json")
_PARTS = ("steps", "owner", "developer", "jobs", "cloud", "hypervisor", "logs")


def default_folder() -> Path:
    """Return the lab's folder: ``NITRO_WORKFLOW_LAB``, else one for each user."""
    if named := os.environ.get("NITRO_WORKFLOW_LAB"):
        return Path(named)
    return data_folder() / "lab"


def data_folder() -> Path:
    """Return where this user's labs are by default: below ``XDG_DATA_HOME``."""
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "nitro-workflow"


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

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     LabFolder.open(Path(place, "lab")).path.name
    'lab'
    """

    path: Path
    identity: str = ""
    _lock: LabLock = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lock = LabLock(self.path / "lock")

    @classmethod
    def open(cls, path: Path | str | None = None, *, make: bool = True) -> LabFolder:
        """Open or make the folder. Raises `LabError` for what is not, or not wholly, a lab's.

        Without ``make`` a folder that is not there is an error, too, and nothing is written.
        """
        try:
            folder = (Path(path).expanduser() if path else default_folder()).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise _no_folder(str(path), str(error)) from error
        if not make and not (folder / "lab.json").exists():
            raise LabError(
                f"no lab in {folder}",
                expected="the folder of a lab",
                where="lab folder",
                next="check the name; `nitro-workflow walk` makes a lab there",
            )
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            present = sorted(entry.name for entry in folder.iterdir())
        except OSError as error:
            raise _no_folder(str(folder), str(error.strerror)) from error
        lab = cls(folder)
        if "lab.json" not in present:
            lab._make(present)
        lab._check()
        return lab

    def _make(self, present: list[str]) -> None:
        foreign = [
            name for name in present if name not in (*_PARTS, *_KEPT, *_NOTES) and name[0] != "."
        ]
        if foreign:
            raise LabError(
                f"{self.path} holds {foreign[0]} and no lab.json",
                expected="an empty folder or a lab's",
                where="lab folder",
                next="name another folder with --lab, or empty this one",
            )
        # Who may write here could put files of theirs in the place of the lab's keys.
        self.path.chmod(self.path.stat().st_mode & 0o7755)
        self._parts()
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record = {"format": FORMAT, "id": secrets.token_hex(8), "created": made}
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
        self.identity = str(record.get("id", ""))
        self._parts()

    def _parts(self) -> None:
        for part in _PARTS:
            if not (self.path / part).is_dir():
                (self.path / part).mkdir(mode=0o700, exist_ok=True)

    def clear(self) -> None:
        """Remove all that the lab holds, and make it a new one: its own processes must be down.

        The notebooks stay: what a learner wrote there is theirs.
        """
        for entry in self.path.iterdir():
            # lab.json is replaced, last: interrupted before, this is still the lab it was.
            if entry.name not in (*_KEPT, "lab.json"):
                remove_tree(entry)
        self._make([])
        self._check()

    def sweep(self) -> None:
        """Remove the drafts that killed writers left; whoever calls it holds the lab's lock."""
        for folder in (self.path, *(self.path / part for part in _PARTS)):
            age = 0.0 if folder.name in _LOCKED or folder == self.path else DRAFT_SECONDS
            for entry in folder.glob(".*"):
                with contextlib.suppress(OSError):
                    old = time.time() - entry.lstat().st_mtime >= age
                    if old and _DRAFT.fullmatch(entry.name):
                        remove_tree(entry)

    def settings(self) -> dict[str, Any]:
        """Return the lab's settings (``size`` in bytes of the data set, ``seed``)."""
        return dict(read_json_or_advise(self.path).get("settings", {}))

    def change_settings(self, **changes: Any) -> None:
        """Keep some settings in ``lab.json``."""
        with self.lock("changing the settings"):
            record = read_json_or_advise(self.path)
            settings = {**record.get("settings", {}), **changes}
            if settings != record.get("settings"):
                self.sweep()  # what killed writers left may be what fills the disk
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
        with contextlib.suppress(OSError):  # a disk that is full or read-only stops nobody here
            (self.path / "lock").touch()

    def lock(
        self, what: str, seconds: float = LOCK_SECONDS
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the lab for one step; the same thread may enter again.

        Raises `LabError` that names the holder when another process keeps it for ``seconds``.
        """
        return self._lock.hold(what, seconds)


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


def _no_folder(path: str, found: str) -> LabError:
    return LabError(
        f"{found}: {path}",
        expected="a folder that you may write",
        where="lab folder",
        next="name another one with --lab or NITRO_WORKFLOW_LAB",
    )


def _dump(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n"
