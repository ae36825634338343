"""Wheels that are not installed here in the locked version: fetched by hash, and unpacked.

The lock names every file by its SHA-256. pip fetches (it knows this machine's registry), this
module hashes what lies in the cache each time again, and believes the RECORD inside a wheel that
has its hash, not the one beside the unpacked files.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nitro_workflow.errors import ImageError

__all__ = ["LockedWheel", "canonical_name", "read_lock", "unpacked_wheels"]

PATIENCE_S = 600.0
"""For one run of pip: some twenty wheels, 40 MB, over a slow line."""

_LIBRARIES = ("purelib", "platlib")


@dataclass(frozen=True, slots=True)
class LockedWheel:
    """One entry of a lock: its version, and the SHA-256 (hex) of each file that will do."""

    name: str
    version: str
    hashes: frozenset[str]
    requirement: str


@dataclass(frozen=True, slots=True)
class UnpackedWheel:
    """A locked wheel's files in ``folder``; ``record``: path below it → RECORD's digest."""

    name: str
    version: str
    folder: Path
    record: Mapping[str, str]


def canonical_name(name: str) -> str:
    """Return a project's name in one form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(lock: Path) -> dict[str, LockedWheel]:
    """Return ``{name: entry}`` of a hash-pinned requirements file.

    Raises `ImageError` where there is none, or for an entry without a hash.
    """
    if not lock.is_file():
        raise _refuse(
            "no lock file", f"{lock.parent.name}/{lock.name}", "install the package again"
        )
    found: dict[str, LockedWheel] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8").strip()):
        form = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", block)
        hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", block))
        if form is None or not hashes:
            raise _refuse(block[:80], "name==version with --hash=sha256:…", "run make lock")
        name = canonical_name(form[1])
        found[name] = LockedWheel(name, form[2], hashes, block)
    return found


def unpacked_wheels(wanted: list[LockedWheel], cache: Path) -> list[UnpackedWheel]:
    """Return the wanted wheels, unpacked below ``cache``; what is not there is fetched.

    Raises `ImageError` when pip cannot fetch one, or a file has none of its entry's hashes.
    """
    if not wanted:
        return []
    cache.mkdir(parents=True, exist_ok=True)
    missing = [entry for entry in wanted if _find(entry, cache) is None]
    if missing:
        _fetch(missing, cache)
    return [_unpacked(entry, cache) for entry in wanted]


def _find(entry: LockedWheel, cache: Path) -> Path | None:
    """Return the entry's wheel in the cache: only a file whose hash is the lock's counts."""
    for path in sorted(cache.glob("*.whl")):
        if canonical_name(path.name.split("-")[0]) == entry.name:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() in entry.hashes:
                    return path
    return None


def _fetch(entries: list[LockedWheel], cache: Path) -> None:
    """Have pip fetch wheels for this interpreter, every file checked by its hash."""
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache.parent) as name:
        requirements = Path(name, "requirements.txt")
        requirements.write_text("".join(f"{entry.requirement}\n" for entry in entries))
        command = [
            *(_python_with_pip(Path(name)), "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"),
            *("--dest", str(cache), "-r", str(requirements)),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _cannot_fetch(f"pip was not done after {PATIENCE_S:.0f} s") from error
    if done.returncode:
        raise _cannot_fetch((done.stderr.strip().splitlines() or ["pip failed"])[-1][:300])


def _python_with_pip(folder: Path) -> str:
    """Return this interpreter where it has pip, else that of a new environment which has."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    try:
        venv.create(folder / "pip", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise _cannot_fetch("no pip here, and no ensurepip to get one from") from error
    return str(folder / "pip" / "bin" / "python")


def _unpacked(entry: LockedWheel, cache: Path) -> UnpackedWheel:
    path = _find(entry, cache)
    if path is None:
        raise _refuse(
            f"no file of {entry.name} {entry.version} with one of its hashes",
            "a file that the lock names",
            "delete the cache and run the step again",
        )
    folder = cache / path.stem
    with zipfile.ZipFile(path) as archive:
        if not folder.is_dir():
            _unpack(archive, folder)
        return UnpackedWheel(entry.name, entry.version, folder, dict(_record(archive)))


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    """Write the modules into ``folder``, which appears whole."""
    work = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder.parent))
    try:
        for member in archive.infolist():
            place = _place(member.filename)
            if place is not None and not member.is_dir():
                target = work / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
        work.replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _place(name: str) -> PurePosixPath | None:
    """Return where a wheel's file goes below the folder of libraries; None for scripts and such.

    [src: PyPA "Binary distribution format", The .data directory]
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _refuse(f"a wheel with {name!r}", "paths below its folder", "report the wheel")
    if not path.parts[0].endswith(".data"):
        return path
    return PurePosixPath(*path.parts[2:]) if path.parts[1] in _LIBRARIES else None


def _record(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Yield ``(path, digest)`` of the modules that a wheel's RECORD lists."""
    name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", n))
    with io.TextIOWrapper(archive.open(name), encoding="utf-8", newline="") as lines:
        for path, digest, _size in csv.reader(lines):
            place = _place(path)
            if place is not None and digest:
                yield str(place), digest


def _refuse(found: str, expected: str, next_step: str) -> ImageError:
    return ImageError(found, expected=expected, where="locked dependencies", next=next_step)


def _cannot_fetch(found: str) -> ImageError:
    return _refuse(
        found,
        "the application's locked wheels, installed here or fetched by their hashes",
        "make a package registry reachable to pip once, or install the locked set: make setup",
    )
