"""Packages of Debian's other suites, by apt's own tools, in folders of their own.

The mirror is the one that this system's sources name; what it signs is verified by apt against
Debian's keyring. Nothing is installed, no file of the system's apt is written, root is not needed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DebianPackages", "Package", "require_debian"]

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS: Final = 900.0  # for one call of apt's, a slow line included
TOOLS: Final = ("apt-get", "apt-cache", "dpkg-deb")


@dataclass(frozen=True, slots=True)
class Package:
    """One file: its name, version and SHA-256 of the whole file."""

    name: str
    version: str
    sha256: str
    path: Path


def require_debian(what: str) -> None:
    """Raise `HostError` where this is no Debian for x86_64, saying what to install by hand."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    is_debian = "ID=debian" in _os_release().splitlines()
    if is_debian and not missing and KEYRING.exists() and platform.machine() == "x86_64":
        return
    found = f"{', '.join(missing)} missing" if missing else "another system"
    raise HostError(
        found if not is_debian or missing else f"no {KEYRING}, or no x86_64",
        expected="Debian for x86_64 (amd64) with apt and its keyring",
        where="host install-qemu",
        next=what,
    )


class DebianPackages:
    """An apt of its own below ``folder``, for ``suites`` of Debian."""

    def __init__(self, folder: Path, suites: Sequence[str]) -> None:
        self._folder = folder
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        mirror = _mirror()
        rows = [f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in suites]
        (folder / "sources.list").write_text("".join(rows), "utf-8")
        (folder / "apt.conf").write_text(self._settings(), "utf-8")

    def update(self) -> None:
        """Fetch and verify the suites' lists."""
        self._apt("apt-get", "update")

    def needed_by(self, package: str, suite: str) -> list[Package]:
        """Fetch a package of ``suite`` with all that it depends on, to the C library."""
        self._apt(
            "apt-get", "install", "--yes", "--no-install-recommends", "--download-only",
            "--target-release", suite, package,
        )  # fmt: skip
        return self._take()

    def alone(self, package: str) -> list[Package]:
        """Fetch the one package, of the first suite."""
        self._apt("apt-get", "download", package, cwd=self._folder / "cache/archives")
        return self._take()

    def dependency(self, package: str, beginning: str) -> str:
        """Return the name of what ``package`` depends on that begins so."""
        lines = self._apt("apt-cache", "depends", package).splitlines()
        names = (line.partition("Depends: ")[2].strip() for line in lines)
        for name in names:
            if name.startswith(beginning):
                return name
        raise _failed(f"{package} depends on nothing called {beginning}…")

    def _take(self) -> list[Package]:
        """Return the files that are there now, and leave none for the next call to find."""
        archives, taken = self._folder / "cache/archives", self._folder / "taken"
        taken.mkdir(exist_ok=True)
        found = []
        for path in sorted(archives.glob("*.deb")):
            named = _run(["dpkg-deb", "--field", str(path), "Package", "Version"]).split("\n")
            fields = dict(line.split(": ", 1) for line in named if line)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            path = path.rename(taken / path.name)  # noqa: PLW2901 - it lies elsewhere from now on
            found.append(Package(fields["Package"], fields["Version"], digest, path))
        return found

    def _apt(self, *words: str, cwd: Path | None = None) -> str:
        return _run([words[0], "--quiet", *words[1:]], str(self._folder / "apt.conf"), cwd)

    def _settings(self) -> str:
        values = {
            "Dir::State": self._folder / "state",
            "Dir::State::status": "/dev/null",  # nothing is installed: the C library comes along
            "Dir::Cache": self._folder / "cache",
            "Dir::Etc::SourceList": self._folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "APT::Sandbox::User": _user_name(),
            "APT::Architecture": "amd64",
            "Acquire::Languages": "none",
            # Else a list that could not be fetched is left out, and its packages are "not there".
            "APT::Update::Error-Mode": "any",
        }
        return "".join(f'{name} "{value}";\n' for name, value in values.items())


def _mirror() -> str:
    """Return where this system has the main component of its own suite from."""
    codename = next(
        (line.partition("=")[2] for line in _os_release().splitlines()
         if line.startswith("VERSION_CODENAME=")), "",
    )  # fmt: skip
    form = "$(REPO_URI) $(RELEASE) $(SUITE) $(COMPONENT)"
    listed = _run(["apt-get", "indextargets", "--format", form, "Identifier: Packages"])
    for line in listed.splitlines():
        uri, *names, component = line.split(" ")
        if component == "main" and codename in names:
            return uri
    raise _failed(f"this system's apt has no main component of {codename or 'its suite'}")


def _run(words: Sequence[str], settings: str = "", cwd: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    if settings:
        environment["APT_CONFIG"] = settings
    try:
        done = subprocess.run(
            words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(f"{words[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise _failed(f"{words[0]}: {said[:300]}")
    return done.stdout


def _failed(found: str) -> HostError:
    return HostError(
        found,
        expected="packages of Debian from this system's mirror",
        where="host install-qemu",
        next="see that `apt-get update` works on this machine, then run it again",
    )


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text("utf-8")
    except OSError:
        return ""


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "root"
