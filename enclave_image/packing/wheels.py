"""Whose is a file: of which package, is that the locked one, is the file unchanged."""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import enclave_image
from enclave_image.packing.locked_wheels import canonical_name, read_lock, unpacked_wheels
from nitro_workflow.errors import ImageError

__all__ = ["LOCK", "Wheels", "application_root", "interpreter"]

LOCK = Path(enclave_image.__file__).resolve().with_name("requirements.lock")
"""The application's own dependencies; it travels with the package."""

OWN_PACKAGES = {"enclave_image": "application", "nitro_workflow": "nitro_workflow"}
"""Our two packages, and how the report calls the origin of their files."""

OWN_PROJECT = "nitro-workflow"


def interpreter() -> Path:
    """Return this Python's executable itself, whatever links a virtual environment made to it."""
    return Path(sys.executable).resolve()


def application_root() -> Path:
    """Return the folder that holds both packages: a checkout, or where the wheel is installed."""
    return Path(enclave_image.__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Owner:
    """The package that brought a file, and the file's digest as its RECORD has it."""

    name: str
    version: str
    digest: str


@dataclass(slots=True)
class Wheels:
    """The locked packages as they lie on this machine. ``folders`` in the order of import."""

    folders: tuple[Path, ...]
    owners: dict[Path, Owner]
    locked: dict[str, str]
    _used: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of_lock(cls, cache: Path) -> Wheels:
        """Take what is installed in the locked version; fetch the rest into ``cache``, by hash.

        Raises `ImageError` without a lock file, and for a wheel that cannot be fetched.
        """
        lock = read_lock(LOCK)
        folders = tuple(
            dict.fromkeys(
                Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")
            )
        )
        owners = {path: owner for folder in folders for path, owner in _installed(folder)}
        here = {(owner.name, owner.version) for owner in owners.values()}
        wanted = [entry for entry in lock.values() if (entry.name, entry.version) not in here]
        fetched = unpacked_wheels(wanted, cache)
        for wheel in fetched:
            for path, digest in wheel.record.items():
                owners[wheel.folder / path] = Owner(wheel.name, wheel.version, digest)
        versions = {entry.name: entry.version for entry in lock.values()}
        return cls((*(wheel.folder for wheel in fetched), *folders), owners, versions)

    def module_paths(self) -> list[Path]:
        """Return where the application's modules are found, in order: packages, then our own."""
        return list(dict.fromkeys([*self.folders, application_root()]))

    def place(self, path: Path) -> tuple[str, str] | None:
        """Return ``(path below /app, origin)`` of a module or data file; None for a stranger's.

        The origin is ``wheel NAME VERSION``, or one of ours. Raises `ImageError` for a file of a
        package that is not the locked one, or changed after installation.
        """
        root = application_root()
        if path.is_relative_to(root):
            inside = path.relative_to(root)
            if inside.parts[0] in OWN_PACKAGES:
                return str(inside), self._own(path, inside)
        for folder in self.folders:
            if path.is_relative_to(folder):
                return str(path.relative_to(folder)), self._origin(path, path.relative_to(folder))
        return None

    def _own(self, path: Path, inside: Path) -> str:
        """Hold an installed wheel's file to its digest; a checkout's are its author's to change."""
        owner = self.owners.get(path)
        if owner is not None and owner.digest != _digest(path):
            raise self._refuse(inside, "a file changed after installation", f"{owner.name}'s")
        return OWN_PACKAGES[inside.parts[0]]

    def _origin(self, path: Path, inside: Path) -> str:
        owner = self.owners.get(path)
        if owner is None:
            raise self._refuse(inside, "a file that no package installed", "packages' files only")
        if self.locked.get(owner.name) != owner.version:
            locked = self.locked.get(owner.name, "not locked")
            found = f"{owner.name} {owner.version}"
            raise self._refuse(inside, found, f"the locked version ({locked})")
        if owner.digest != _digest(path):
            found = "a file changed after installation"
            raise self._refuse(inside, found, f"{owner.name} {owner.version}'s")
        self._used.add((owner.name, owner.version))
        return f"wheel {owner.name} {owner.version}"

    def unlocked_modules(self) -> list[str]:
        """Return top-level modules that are installed here and would not be in the image.

        Libraries import what happens to be there (botocore takes certifi when it finds it).
        """
        inside: set[str] = set()
        outside: set[str] = set()
        for path, owner in self.owners.items():
            folder = next(it for it in self.folders if path.is_relative_to(it))
            top = path.relative_to(folder).parts[0].split(".")[0]
            ours = owner.name in self.locked or owner.name == OWN_PROJECT
            (inside if ours else outside).add(top)
        return sorted(outside - inside)

    def used(self) -> tuple[tuple[str, str], ...]:
        """Return ``(name, version)`` of every package that a file was taken from, sorted."""
        return tuple(sorted(self._used))

    @staticmethod
    def _refuse(where: Path, found: str, expected: str) -> ImageError:
        return ImageError(
            found,
            expected=expected,
            where=str(where),
            next="install the locked set again: make setup",
        )


def _installed(folder: Path) -> Iterator[tuple[Path, Owner]]:
    """Yield every file that a RECORD in ``folder`` lists, with its owner."""
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        with record.open(encoding="utf-8", newline="") as lines:
            for path, digest, _size in csv.reader(lines):
                if not path.startswith(("../", "/")):  # commands and manuals are no modules
                    yield folder / path, Owner(canonical_name(name), version, digest)


def _digest(path: Path) -> str:
    raw = hashlib.sha256(path.read_bytes()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).decode().rstrip("=")
