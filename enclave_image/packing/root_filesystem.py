"""P5 and P6: the enclave's root filesystem, from this machine's own Python.

No Docker: the interpreter, the part of its standard library that the application loads, the shared
libraries, the locked wheels pruned to what is used, the application, and the measured
configuration. The report says where each file came from. PCRs over it belong to this machine (its
Python is in it); those of ``enclave_image/Dockerfile`` are everyone's.

The same inputs give the same bytes: no path of this machine is in a ``.pyc``, names are sorted,
modes and times are fixed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from enclave_image.configuration import CONFIG_PATH, MeasuredConfig, parse_config
from enclave_image.job_protocol import APPLICATION_PORT
from enclave_image.packing.closure import Closure, Script, find_closure
from enclave_image.packing.compiled_modules import compile_modules, compiled_path
from enclave_image.packing.wheels import Wheels, application_root, interpreter
from nitro_workflow.errors import ImageError
from nitro_workflow.vsock import HEARTBEAT_PORT

__all__ = [
    "COMMAND",
    "ENVIRONMENT",
    "FileRecord",
    "RootfsReport",
    "build_rootfs",
    "inspect_parent",
    "report_json",
    "trusted",
    "vsock_ports",
]

COMMAND = ("/usr/bin/python3", "-I", "-S", "-B", "/app")
"""Isolated, without site-packages of any kind; ``/app`` holds ``__main__.py`` and all wheels."""

ENVIRONMENT = {"HOME": "/", "LANG": "C.UTF-8", "PATH": "/usr/bin"}

EMPTY_FOLDERS = ("dev", "proc", "run", "sys", "tmp")
"""Where an enclave's init mounts its filesystems. [src: sdk-bootstrap init/init.c]"""

Progress = Callable[[str, int, int], None]
"""``progress(what, done, total)``."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of the image: ``path`` in the image, ``size`` in bytes, ``sha256`` in hex."""

    path: str
    size: int
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class RootfsReport:
    """What P5 shows. ``trust``: what is believed because it is measured."""

    files: tuple[FileRecord, ...]
    size: int
    command: tuple[str, ...]
    environment: dict[str, str]
    vsock_ports: dict[str, int]
    dependencies: tuple[tuple[str, str], ...]
    python: str
    trust: dict[str, object]

    @property
    def origins(self) -> dict[str, tuple[int, int]]:
        """Return ``{origin: (files, bytes)}``, sorted by name."""
        sums: dict[str, tuple[int, int]] = {}
        for record in self.files:
            count, size = sums.get(record.origin, (0, 0))
            sums[record.origin] = (count + 1, size + record.size)
        return dict(sorted(sums.items()))


@dataclass(frozen=True, slots=True)
class _Part:
    """A file to place: content from ``source`` or ``data``; ``path`` without a leading slash."""

    path: str
    origin: str
    source: Path | None = None
    data: bytes = b""
    executable: bool = False


def build_rootfs(
    target: Path,
    *,
    config: bytes,
    progress: Progress | None = None,
    cache: Path | None = None,
    script: Script | None = None,
) -> RootfsReport:
    """Write the root filesystem into ``target`` (replaced when it is there) and report on it.

    ``config``: `MeasuredConfig.to_json`'s bytes. ``cache``: where wheels are kept that are not
    installed in the locked version, beside ``target`` by default. ``script``: another application's
    rehearsal, whose modules go in, too. Raises `InputError` for a
    configuration that is none, `ImageError` when the application does not run here, or a locked
    wheel is neither installed nor to be had.
    """
    tell = progress or (lambda *_: None)
    measured = parse_config(config)
    tell("find the locked packages", 0, 4)
    wheels = Wheels.of_lock(cache or target.with_name("wheels"))
    tell("rehearse the application", 1, 4)
    target.parent.mkdir(parents=True, exist_ok=True)
    closure = find_closure(wheels, target.parent, *([script] if script else []))
    own = script.folder if script else None
    parts = sorted(_parts(closure, wheels, config, own), key=lambda part: part.path)
    tell("copy", 2, 4)
    work = target.with_name(f".{target.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    for folder in EMPTY_FOLDERS:
        (work / folder).mkdir(parents=True)
    for part in parts:
        _place(work, part)
    tell("compile", 3, 4)
    sources = {part.path: part.origin for part in parts if part.path.endswith(".py")}
    compile_modules(work, list(sources))
    compiled = {compiled_path(path): origin for path, origin in sources.items()}
    _settle(work)
    shutil.rmtree(target, ignore_errors=True)
    work.replace(target)
    tell("done", 4, 4)
    return _report(target, parts, compiled, wheels, measured)


# -- what goes in ----------------------------------------------------------------------------------


def _parts(closure: Closure, wheels: Wheels, config: bytes, own: Path | None) -> Iterator[_Part]:
    python = f"python {sys.version.split()[0]}"
    yield _Part("usr/bin/python3", f"{python}: interpreter", interpreter(), executable=True)
    yield _Part(CONFIG_PATH[1:], "measured configuration", data=config)
    main = application_root() / "enclave_image" / "inside" / "__main__.py"
    yield _Part("app/__main__.py", "application", main)
    placed = set()
    for path in [*closure.modules, *closure.data]:
        part = _own_module(path, own) or _module(path, wheels, python)
        placed.add(path.resolve())
        yield part
    libc = _folder_of_libc(closure)
    for name, path in closure.libraries.items():
        if path in placed or path == interpreter():
            continue
        if path.is_relative_to(_stdlib()) or wheels.place(path):
            yield _module(path, wheels, python)
        else:
            yield _library(name, path, libc)


def _own_module(path: Path, own: Path | None) -> _Part | None:
    """Return where a file of the declared application goes; None for what is not its own."""
    if own is None or not path.is_relative_to(own):
        return None
    return _Part(f"app/{path.relative_to(own)}", "your application", path)


def _module(path: Path, wheels: Wheels, python: str) -> _Part:
    if found := wheels.place(path):
        inside, origin = found
        return _Part(f"app/{inside}", origin, path)
    if path.is_relative_to(_stdlib()):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        below = path.relative_to(_stdlib())
        origin = f"{python}: standard library"
        return _Part(f"usr/{sys.platlibdir}/{version}/{below}", origin, path)
    raise ImageError(
        f"a module from {path.parent.name}/",
        expected="the standard library, an installed package or one of ours",
        where=path.name,
        next="unset PYTHONPATH and use a virtual environment",
    )


def _library(name: str, path: Path, libc: str) -> _Part:
    """Libraries keep the name they are asked for by, beside libc: the loader looks there."""
    own = PurePosixPath(name)
    if own.name.startswith("ld-"):  # the program interpreter's path is fixed in the executable
        return _Part(str(own)[1:], "shared library of this machine", path, executable=True)
    return _Part(f"{libc}/{own.name}", "shared library of this machine", path, executable=True)


def _folder_of_libc(closure: Closure) -> str:
    for name in closure.libraries:
        if PurePosixPath(name).name.startswith("libc."):
            return str(PurePosixPath(name).parent)[1:]
    raise ImageError(
        "an interpreter without a dynamic libc",
        expected="CPython linked against the system's libc",
        where="shared libraries",
        next="use the distribution's python3",
    )


def _stdlib() -> Path:
    return Path(os.__file__).resolve().parent


# -- how it goes in --------------------------------------------------------------------------------


def _place(work: Path, part: _Part) -> None:
    path = work / part.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if part.source is None:
        path.write_bytes(part.data)
    else:
        shutil.copyfile(part.source, path)
    path.chmod(0o755 if part.executable or ".so" in path.suffixes else 0o644)


def _settle(work: Path) -> None:
    """Fix modes of folders and all times, whatever this user's umask is."""
    for folder, _, names in os.walk(work, topdown=False):
        for name in names:
            path = Path(folder, name)
            if path.suffix == ".pyc":
                path.chmod(0o644)
            os.utime(path, (0, 0))
        Path(folder).chmod(0o755)
        os.utime(folder, (0, 0))


# -- what is said of it ----------------------------------------------------------------------------


def _report(
    target: Path,
    parts: list[_Part],
    compiled: dict[str, str],
    wheels: Wheels,
    measured: MeasuredConfig,
) -> RootfsReport:
    origins = {part.path: part.origin for part in parts} | compiled
    files = tuple(_record(target, path, origins[path]) for path in sorted(origins))
    return RootfsReport(
        files=files,
        size=sum(record.size for record in files),
        command=COMMAND,
        environment=dict(ENVIRONMENT),
        vsock_ports=vsock_ports(measured),
        dependencies=wheels.used(),
        python=sys.version.split()[0],
        trust=trusted(measured),
    )


def _record(target: Path, path: str, origin: str) -> FileRecord:
    data = (target / path).read_bytes()
    return FileRecord(f"/{path}", len(data), hashlib.sha256(data).hexdigest(), origin)


def vsock_ports(measured: MeasuredConfig) -> dict[str, int]:
    """Return the ports that every application has, by their use."""
    return {
        "heartbeat": HEARTBEAT_PORT,
        "kms proxy": measured.kms_port_vsock,
        "application": APPLICATION_PORT,
    }


def trusted(measured: MeasuredConfig) -> dict[str, object]:
    """Return what is believed because it is measured, PEM blocks as digests."""
    owner_key = hashlib.sha256(measured.owner_public_key_pem.encode()).hexdigest()
    return {
        "kms_host": measured.kms_host,
        "ca_sha256": hashlib.sha256(measured.ca_pem.encode()).hexdigest(),
        "key_arn": measured.key_arn,
        "encryption_context": dict(measured.encryption_context),
        "query": measured.query.to_json(),
        "threshold": measured.threshold,
        "owner_public_key_sha256": owner_key,
    }


def inspect_parent() -> tuple[FileRecord, ...]:
    """Return the files of the parent's application: unmeasured, and trusted with nothing."""
    root = application_root()
    names = ["enclave_image/job_protocol.py"]
    names += [
        f"enclave_image/parent/{path.name}" for path in (root / "enclave_image/parent").glob("*.py")
    ]
    names += [
        f"nitro_workflow/vsock/{path.name}" for path in (root / "nitro_workflow/vsock").glob("*.py")
    ]
    return tuple(_record(root, name, "parent application") for name in sorted(names))


def report_json(report: RootfsReport) -> str:
    """Return the report as JSON text, one object."""
    from dataclasses import asdict

    return json.dumps(asdict(report), sort_keys=True)
