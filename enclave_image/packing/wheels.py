"""Whose is a file: of which package, is that the locked one, is the file unchanged."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

import nitro_workflow
from nitro_workflow.errors import ImageError

__all__ = [
    "Wheels",
    "application_root",
    "canonical_name",
    "interpreter",
    "locked_versions",
    "module_paths",
]


def interpreter() -> Path:
    """Return this Python's executable itself, whatever links a virtual environment made to it."""
    return Path(sys.executable).resolve()


def application_root() -> Path:
    """Return the folder that holds ``enclave_image/``; raises `ImageError` outside a checkout."""
    root = Path(nitro_workflow.__file__).resolve().parent.parent
    if not (root / "enclave_image" / "inside" / "job_server.py").is_file():
        raise ImageError(
            "no enclave_image/ beside the package",
            expected="a checkout of the repository",
            where="enclave_image/inside/job_server.py",
            next="clone the repository and run make lab there: the image is built from its files",
        )
    return root


def module_paths() -> list[Path]:
    """Return where the application's modules are found, in order: packages, then the checkout."""
    found = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    return [*dict.fromkeys(found), application_root()]


def canonical_name(name: str) -> str:
    """Return a project's name in one form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked_versions(lock: Path) -> dict[str, str]:
    """Return ``{name: version}`` of a hash-pinned requirements file."""
    form = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
    found = form.findall(lock.read_text(encoding="utf-8"))
    return {canonical_name(name): version for name, version in found}


@dataclass(slots=True)
class Wheels:
    """The installed packages of this environment, by their RECORD files."""

    folder: Path
    owners: dict[str, tuple[str, str, str]]
    locked: dict[str, str]
    _used: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def installed(cls) -> Wheels:
        """Read every RECORD. Raises `ImageError` without a lock file."""
        folder = Path(sysconfig.get_path("purelib")).resolve()
        owners: dict[str, tuple[str, str, str]] = {}
        for record in sorted(folder.glob("*.dist-info/RECORD")):
            name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
            with record.open(encoding="utf-8", newline="") as lines:
                for path, digest, _size in csv.reader(lines):
                    owners[path] = (canonical_name(name), version, digest)
        return cls(folder, owners, locked_versions(_lock()))

    def origin(self, path: Path) -> str:
        """Return ``wheel NAME VERSION`` for a file, once it is the locked and unchanged one.

        Raises `ImageError` otherwise.
        """
        inside = str(path.relative_to(self.folder))
        name, version, digest = self.owners.get(inside, ("", "", ""))
        if not name:
            raise self._refuse(inside, "a file that no package installed", "packages' files only")
        if self.locked.get(name) != version:
            locked = self.locked.get(name, "not locked")
            raise self._refuse(inside, f"{name} {version}", f"the locked version ({locked})")
        if digest != _digest(path):
            raise self._refuse(inside, "a file changed after installation", f"{name} {version}'s")
        self._used.add((name, version))
        return f"wheel {name} {version}"

    def unlocked_modules(self) -> list[str]:
        """Return top-level modules that are installed here and would not be in the image.

        Libraries import what happens to be there (botocore takes certifi when it finds it).
        """
        inside: set[str] = set()
        outside: set[str] = set()
        for path, (name, _, _) in self.owners.items():
            top = path.split("/")[0].split(".")[0]
            (inside if name in self.locked else outside).add(top)
        return sorted(outside - inside)

    def used(self) -> tuple[tuple[str, str], ...]:
        """Return ``(name, version)`` of every package that a file was taken from, sorted."""
        return tuple(sorted(self._used))

    @staticmethod
    def _refuse(where: str, found: str, expected: str) -> ImageError:
        return ImageError(
            found, expected=expected, where=where, next="install the locked set again: make setup"
        )


def _digest(path: Path) -> str:
    raw = hashlib.sha256(path.read_bytes()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _lock() -> Path:
    lock = application_root() / "enclave_image" / "requirements.lock"
    if not lock.is_file():
        raise ImageError(
            "no lock file",
            expected="enclave_image/requirements.lock",
            where="locked dependencies",
            next="restore it from the repository",
        )
    return lock
