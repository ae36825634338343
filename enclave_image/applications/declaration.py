"""``application.toml``: what a folder declares of its application, and the application it makes.

::

    [application]
    name = "word-count"
    version = "1"                       # memory_mib = 512

    [program]
    python = "word_count:WordCount"     # a class of this folder, run by this package's job server
    # dockerfile = "."                  # or: an image that speaks the job protocol itself
    # rootfs = "rootfs"                 # or: its root filesystem, with
    # command = ["/bin/app"]

    [data]
    sample = "letters.txt"              # the records, unless the walk is given others

    [trust]
    threshold = 3                       # at least 2; measured, as are the arguments

    [arguments]
    least_letters = 4

The whole format is in docs/your-application.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from enclave_image.applications.application import MEMORY_MIB, Application, CustomerSums, OpenedWork
from enclave_image.configuration import MIN_THRESHOLD, Program
from nitro_workflow.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from enclave_image.owner import ExpectedReceipt
    from enclave_image.packing import RootfsReport
    from enclave_image.packing.root_filesystem import Progress
    from nitro_workflow.attestation import Verifier
    from nitro_workflow.image import Tree

__all__ = ["DECLARATION", "DeclaredApplication", "application_of", "read_declaration"]

DECLARATION: Final = "application.toml"
LIMIT: Final = 64 * 1024  # bytes of it
SAMPLE_LIMIT: Final = 256 * 1024  # bytes of the sample that a rehearsal works on
LARGEST_MIB: Final = 1 << 20

_TABLES: Final = {
    "application": {"name", "version", "memory_mib"},
    "program": {"python", "dockerfile", "rootfs", "command"},
    "data": {"sample"},
    "trust": {"threshold"},
}
_WAYS: Final = ("python", "dockerfile", "rootfs")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CLASS: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def application_of(folder: str | None) -> Application:
    """Return the application that the folder declares; the package's own for None."""
    return CustomerSums() if folder is None else read_declaration(Path(folder))


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    """The application of a folder: ``way`` is python, dockerfile or rootfs, ``what`` its value.

    ``given_command`` replaces a Dockerfile's, and must be there for a root filesystem.
    """

    folder: Path
    name: str
    version: str
    memory_mib: int
    way: str
    what: str
    given_command: tuple[str, ...]
    sample: Path
    threshold: int
    arguments: Mapping[str, str | int]

    @property
    def work(self) -> Program:
        """Return the class with its arguments; of an image's own program, the arguments alone."""
        return Program(self.what if self.way == "python" else "", self.arguments)

    def fingerprint(self) -> str:
        """Return a digest of every file of the folder, and of its name and mode."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                mode = path.stat().st_mode & 0o111
                digest.update(f"{path.relative_to(self.folder)}\0{mode:o}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def records(self, own: Path | None, *, seed: int, size: int) -> BinaryIO:
        """Open the owner's file, else the sample."""
        from enclave_image.owner import open_records

        del seed, size  # of generated records: here there are none
        return open_records(own or self.sample)

    def size_of(self, own: Path | None, *, size: int) -> int:
        """Return the file's size: what the records must be, only the application knows."""
        found = 0
        with self.records(own, seed=0, size=size) as source:
            while piece := source.read(1 << 20):
                found += len(piece)
        if not found:
            raise _bad("no bytes of records", "a file with something in it", "data")
        return found

    def lay_out(
        self, target: Path, *, config: bytes, progress: Progress | None = None
    ) -> RootfsReport:
        """Pack the class beside the job server, or lay out what the folder brings."""
        from enclave_image.packing import Script, build_rootfs, lay_out_given

        if self.way == "python":
            with self.sample.open("rb") as file:
                sample = file.read(SAMPLE_LIMIT)
            script = Script(self.work, self.threshold, sample, self.folder)
            return build_rootfs(target, config=config, progress=progress, script=script)
        with self._given() as (tree, command, environment):
            return lay_out_given(
                target, tree, config=config, command=command, environment=environment
            )

    def open(
        self,
        result: bytes,
        receipt: bytes,
        expected: ExpectedReceipt,
        *,
        verifier: Verifier,
        at: datetime,
        private_key: rsa.RSAPrivateKey,
    ) -> OpenedWork:
        """Open the answer."""
        from enclave_image.owner import open_answer

        opened = open_answer(
            result, receipt, expected, verifier=verifier, at=at, private_key=private_key
        )
        return OpenedWork({"answer": dict(opened.answer)}, opened.attestation)

    @contextlib.contextmanager
    def _given(self) -> Iterator[tuple[Tree, tuple[str, ...], dict[str, str]]]:
        """Yield the root filesystem that the folder brings, its command and environment."""
        from nitro_workflow.image import (
            built_dockerfile,
            choose_command,
            host_architecture,
            open_container_image,
            tree_from_folder,
        )

        place = self.folder / self.what
        if self.way == "rootfs":
            yield tree_from_folder(place), self.given_command, {}
            return
        machine = host_architecture()
        with (
            built_dockerfile(place, machine) as archive,
            open_container_image(archive, machine) as image,
        ):
            chosen = choose_command(image.config, given=self.given_command)
            environment = dict(line.partition("=")[::2] for line in chosen.environment)
            yield image.tree, chosen.command, environment


def read_declaration(folder: Path) -> DeclaredApplication:
    """Return the application that ``folder`` declares; raises `InputError`."""
    folder = folder.resolve()
    values = _tables(folder / DECLARATION)
    about, trust = values.get("application", {}), values.get("trust", {})
    way, what, command = _program(folder, values.get("program", {}))
    return DeclaredApplication(
        folder=folder,
        name=_matching(about, "name", _NAME),
        version=_matching(about, "version", _NAME),
        memory_mib=_number(about, "memory_mib", 64, LARGEST_MIB, MEMORY_MIB),
        way=way,
        what=what,
        given_command=command,
        sample=_inside(folder, values.get("data", {}).get("sample"), "data.sample"),
        threshold=_number(trust, "threshold", MIN_THRESHOLD, 10**9, MIN_THRESHOLD),
        arguments=_arguments(values.get("arguments", {})),
    )


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            text = file.read(LIMIT).decode("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise _bad(f"{error.strerror}: {path}", f"a folder with an {DECLARATION}", "") from error
    except (ValueError, RecursionError) as error:
        raise _bad(f"not TOML: {str(error)[:100]}", "TOML", "") from error
    for name, table in values.items():
        known = _TABLES.get(name)
        if not isinstance(table, dict) or (known is None and name != "arguments"):
            raise _bad(f"{name}", f"the tables {', '.join([*_TABLES, 'arguments'])}", "")
        odd = sorted(set(table) - known) if known is not None else []
        if odd:
            raise _bad(odd[0], ", ".join(sorted(known or ())), name)
    return values


def _program(folder: Path, table: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    ways = [name for name in _WAYS if name in table]
    if len(ways) != 1:
        raise _bad(" and ".join(ways) or "none", f"exactly one of {', '.join(_WAYS)}", "program")
    way, command = ways[0], table.get("command", [])
    if not isinstance(command, list) or not all(isinstance(it, str) and it for it in command):
        raise _bad("no list of texts", 'command = ["/bin/app"]', "program.command")
    if (way == "rootfs" and not command) or (way == "python" and command):
        expected = "one with rootfs, none with python"
        raise _bad("a command" if command else "no command", expected, "program.command")
    if way == "python":
        what = _matching(table, "python", _CLASS)
        module = what.partition(":")[0].split(".")[0]
        if not any((folder / it).exists() for it in (f"{module}.py", f"{module}/__init__.py")):
            raise _bad(f"no {module}.py in the folder", "the module of the class", "program.python")
        return way, what, ()
    _inside(folder, table[way], f"program.{way}", folder_too=True)
    return way, str(table[way]), tuple(command)


def _inside(folder: Path, value: Any, where: str, *, folder_too: bool = False) -> Path:
    """Return the path of something that lies in the folder, links followed."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise _bad("no text", "a path in the folder", where)
    path = (folder / value).resolve()
    if not path.is_relative_to(folder) or not (path.is_file() or (folder_too and path.is_dir())):
        raise _bad(f"{value:.60}", "what lies in the folder", where)
    return path


def _arguments(table: Mapping[str, Any]) -> dict[str, str | int]:
    for name, value in table.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise _bad(f"{type(value).__name__}", "a text or a whole number", f"arguments.{name}")
    return dict(table)


def _matching(table: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _bad(f"{value!r:.60}", f"a text like {form.pattern}", name)
    return value


def _number(table: Mapping[str, Any], name: str, least: int, most: int, otherwise: int) -> int:
    value = table.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _bad(f"{value!r:.20}", f"a whole number from {least} to {most}", name)
    return value


def _bad(found: str, expected: str, where: str) -> InputError:
    return InputError(
        found,
        expected=expected,
        where=f"{DECLARATION}{', ' + where if where else ''}",
        next="see docs/your-application.md",
        code="DeclarationError",
    )
