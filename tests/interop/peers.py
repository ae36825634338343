"""Where other people's programs are built, once for each content of their sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "Unbuilt",
    "cache_folder",
    "command",
    "fetched",
    "go_program",
    "locked",
    "node_program",
    "peer",
    "python_program",
    "rust_program",
    "trixie_folder",
]


PAUSES = (5.0, 30.0)
"""Seconds before a registry that failed is asked again."""


class Unbuilt(Exception):
    """A registry or a tool chain could not give what a peer needs."""


def cache_folder() -> Path:
    """Return the folder that outlives a test run."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "nitro-workflow" / "interop"


@contextmanager
def locked() -> Iterator[Path]:
    """Yield the cache folder while no other run builds there."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


@contextmanager
def peer(source: Path, *shared: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the peer's folder with a copy of `source`, and whether it must be built.

    `shared` are files that several have, copied beside the others. It is built anew when a file of the source changed, or when the last build did not end well.
    """
    with locked() as cache:
        target, digest = cache / source.name, _digest(source, *shared)
        stamp = target / ".built"
        stale = not stamp.exists() or stamp.read_text() != digest
        if stale:
            stamp.unlink(missing_ok=True)
            shutil.copytree(source, target, dirs_exist_ok=True)
            for path in shared:
                shutil.copy2(path, target)
        yield target, stale
        stamp.write_text(digest)


def command(*words: str, cwd: Path) -> None:
    """Run one command of a build.

    Raises `Unbuilt`: it failed; the text is the end of what it said.
    """
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unbuilt(f"{words[0]}: {(done.stdout + done.stderr)[-2000:]}")


def fetched(*words: str, cwd: Path) -> None:
    """Run one command of a build that asks a registry, which may fail to answer once or twice.

    What was fetched and built before it failed is not fetched and built again. Raises `Unbuilt`.
    """
    for pause in PAUSES:
        try:
            command(*words, cwd=cwd)
        except Unbuilt:
            time.sleep(pause)
        else:
            return
    command(*words, cwd=cwd)


def trixie_folder(source: Path) -> Path:
    """Unpack what a build.sh names of Debian trixie; return the folder in which it did."""
    with peer(source, Path(__file__).with_name("unpack_trixie.sh")) as (folder, stale):
        if stale:
            fetched("sh", "build.sh", cwd=folder)
    return folder


def go_program(source: Path) -> list[str]:
    """Build a Go module with what its go.sum names; return how it is run."""
    with peer(source) as (folder, stale):
        if stale:
            fetched("go", "build", "-trimpath", "-mod=readonly", "-o", "program", ".", cwd=folder)
    return [str(folder / "program")]


def rust_program(source: Path) -> list[str]:
    """Build a crate that is called as its folder; return how it is run."""
    with peer(source) as (folder, stale):
        if stale:
            fetched("cargo", "build", "--quiet", cwd=folder)
    return [str(folder / "target/debug" / source.name)]


def node_program(source: Path) -> list[str]:
    """Install what a package-lock.json names, without its scripts; return how main.js is run."""
    with peer(source) as (folder, stale):
        if stale:
            fetched("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return ["node", str(folder / "main.js")]


def python_program(source: Path) -> list[str]:
    """Install a requirements.lock by its hashes; return how main.py is run in there."""
    with peer(source) as (folder, stale):
        python = str(folder / "venv/bin/python")
        if stale:
            command(sys.executable, "-m", "venv", "--clear", "venv", cwd=folder)
            pip = (python, "-m", "pip", "install", "--disable-pip-version-check")
            fetched(*pip, "--require-hashes", "-r", "requirements.lock", cwd=folder)
    return [python, str(folder / "main.py")]


def _digest(source: Path, *shared: Path) -> str:
    digest = hashlib.sha256()
    for path in [*sorted(p for p in source.rglob("*") if p.is_file()), *shared]:
        name = path.name if path in shared else path.relative_to(source)
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
