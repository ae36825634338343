"""Whether an image's command can start at all: what init would execute, followed as Linux does.

AWS's init gives the command to glibc's ``execvpe`` in the root filesystem (init/init.c of
aws-nitro-enclaves-sdk-bootstrap): a name without a slash is looked for on PATH, links are followed,
``#!`` and ELF name an interpreter, and what is neither is a script of ``/bin/sh``. Whatever of that
is not there ends the enclave at once, with an error that names the command and not what it lacks.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nitro_workflow.image.ramdisk.file_tree import Node

__all__ = ["ProgramFile", "command_problem", "files_of_nodes", "first_bytes"]

DEFAULT_PATH: Final = "/sbin:/usr/sbin:/bin:/usr/bin"  # init.c
SHELL: Final = "/bin/sh"
HEAD: Final = 4096  # bytes: Linux reads 256 of a ``#!``; an ELF names its loader after its headers
MOUNTED: Final = frozenset({"dev", "proc", "run", "sys", "tmp"})  # by init: not the image's
MAX_LINKS: Final = 40  # that Linux follows (MAXSYMLINKS)
_INTERPRETER: Final = 3  # PT_INTERP
_MACHINES: Final = {62: "x86_64", 183: "aarch64"}  # e_machine [src: elf(5)]
_ELF: Final = {1: ("<I", 0x1C, 0x2A, 4, 16), 2: ("<Q", 0x20, 0x36, 8, 32)}
"""Class → form of an offset, where e_phoff and e_phentsize stand, p_offset and p_filesz."""


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """What matters of a file for starting it: type and mode, a link's target, its first bytes."""

    mode: int
    target: str = ""
    head: Callable[[], bytes] | None = None

    @property
    def can_run(self) -> bool:
        """True for a regular file with an executable bit: root needs no more."""
        return stat.S_ISREG(self.mode) and bool(self.mode & 0o111)


class _CannotTellError(Exception):
    """The path leads to what init mounts, or in a circle."""


def files_of_nodes(nodes: Iterable[Node]) -> dict[str, ProgramFile]:
    """Return the files of a tree that is about to be packed, by path; content is read later."""
    found = {}
    for node in nodes:
        head = partial(_head_of_node, node) if stat.S_ISREG(node.mode) else None
        target = _text(_head_of_node(node)) if stat.S_ISLNK(node.mode) else ""
        found[_text(node.path)] = ProgramFile(node.mode, target, head)
    return found


def _head_of_node(node: Node) -> bytes:
    return first_bytes(node.content() if node.content else ())


def first_bytes(pieces: Iterable[bytes], most: int = HEAD) -> bytes:
    """Return a content's beginning; by default as much as tells what runs it."""
    head = b""
    for piece in pieces:
        head += piece[: most - len(head)]
        if len(head) == most:
            break
    return head


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def command_problem(
    files: Mapping[str, ProgramFile],
    command: Sequence[str],
    environment: Iterable[str] = (),
    architecture: str = "",
) -> str:
    """Return why the command cannot start, in words; "" where nothing forbids it.

    ``files`` is the root filesystem by path without a leading slash; ``environment`` the lines of
    ``/env``; ``architecture`` that of the machine it would start on, if known. What init mounts
    over (``/dev``, ``/proc`` …) is not judged.
    """
    if not command:
        return ""
    try:
        candidates = list(_candidates(command[0], environment))
        return _why_not(files, command[0], candidates, architecture)
    except _CannotTellError:
        return ""


def _candidates(name: str, environment: Iterable[str]) -> Iterator[str]:
    if "/" in name:
        yield name
        return
    lines = dict(line.partition("=")[::2] for line in environment)
    for folder in lines.get("PATH", DEFAULT_PATH).split(":"):
        yield f"{folder}/{name}"


def _why_not(
    files: Mapping[str, ProgramFile], name: str, candidates: list[str], architecture: str
) -> str:
    shown = f"the command {name!r}"
    found = [file for path in candidates if (file := _find(files, path)) is not None]
    program = next((file for file in found if file.can_run), None)
    if program is None:
        if not found:
            aside = "" if "/" in name else f", in none of {candidates}"
            return f"{shown} is not in the image{aside}"
        if stat.S_ISDIR(found[0].mode):
            return f"{shown} is a directory"
        return f"{shown} cannot be executed: its mode is {found[0].mode & 0o7777:04o}"
    what, needed = _needs(program)
    machine = _machine(program)
    if architecture and machine and machine != architecture:
        return f"{shown} is a program for {machine}, on {architecture}"
    other = _find(files, needed) if needed else program
    if other is not None and other.can_run:
        return ""
    why = "is not in the image" if other is None else "cannot be executed"
    return f"{shown} needs {what} {needed!r}, which {why}"


def _find(files: Mapping[str, ProgramFile], path: str) -> ProgramFile | None:
    """Follow a path from the root, links included; None where something of it is not there."""
    todo, place, links = _parts(path), list[str](), 0
    while todo:
        part = todo.pop()
        if part == "..":
            del place[-1:]
            continue
        place.append(part)
        if place[0] in MOUNTED:
            raise _CannotTellError
        file = files.get("/".join(place))
        if file is None:
            return None
        if stat.S_ISLNK(file.mode):
            links += 1
            if links > MAX_LINKS:
                raise _CannotTellError
            place = [] if file.target.startswith("/") else place[:-1]
            todo += _parts(file.target)
        elif todo and not stat.S_ISDIR(file.mode):
            return None
    return files.get("/".join(place)) if place else ProgramFile(stat.S_IFDIR | 0o755)


def _parts(path: str) -> list[str]:
    """Return a path's parts, the first one last."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def _needs(program: ProgramFile) -> tuple[str, str]:
    """Return what Linux executes in the program's place: in words, and its path; "" for nothing."""
    head = program.head() if program.head else None
    if head is None:
        return "", ""
    if head.startswith(b"#!"):
        line = head[2:256].partition(b"\n")[0].strip(b" \t")
        return "its interpreter", _text(line.replace(b"\t", b" ").partition(b" ")[0])
    if head.startswith(b"\x7fELF"):
        return "its loader", _loader(head)
    return "the shell, having no `#!`:", SHELL


def _machine(program: ProgramFile) -> str:
    """Return the architecture that an ELF is for; "" for another file, and for one unheard of."""
    head = program.head() if program.head else b""
    number = int.from_bytes(head[18:20], "little") if head.startswith(b"\x7fELF") else 0
    return _MACHINES.get(number, "")


def _loader(head: bytes) -> str:
    """Return an ELF's interpreter; "" for a static program, and for what is not understood."""
    try:
        form, at_table, at_size, at_offset, at_length = _ELF[head[4]]
        [table] = struct.unpack_from(form, head, at_table)
        size, count = struct.unpack_from("<HH", head, at_size)
        for entry in range(table, table + size * count, size):
            if struct.unpack_from("<I", head, entry) == (_INTERPRETER,):
                [begin] = struct.unpack_from(form, head, entry + at_offset)
                [length] = struct.unpack_from(form, head, entry + at_length)
                path = head[begin : begin + length]
                return _text(path.rstrip(b"\0")) if len(path) == length else ""
    except (KeyError, IndexError, struct.error, ValueError):
        pass
    return ""
