"""Whether an image's command can be executed: the program, its interpreter, its architecture.

What is looked for is what `execvpe` in AWS's init would look for: PATH, links, `#!`, the ELF
interpreter. [src: sdk-bootstrap init/init.c; glibc posix/execvpe.c; elf(5)]
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.rules.launch_rules import host_architecture
from nitro_workflow.image import ramdisk_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nitro_workflow.errors import HostError
    from nitro_workflow.image import Image

__all__ = ["DEFAULT_PATH", "command_problem"]

DEFAULT_PATH: Final = "/sbin:/usr/sbin:/bin:/usr/bin"
"""[src: sdk-bootstrap init/init.c]"""

ROOT: Final = "rootfs"
FOLDER: Final = "directory"
HEAD: Final = 64 * 1024  # bytes of a program that are looked at; its headers are at its start
TEXT_LIMIT: Final = 1 << 20  # bytes of /cmd and /env
LINKS: Final = 40  # as many as the kernel follows [src: Linux, MAXSYMLINKS]
SHEBANGS: Final = 4  # an interpreter may be a script [src: Linux fs/exec.c, BINPRM_MAX_RECURSION]

_MACHINES: Final = {62: "x86_64", 183: "aarch64"}  # e_machine, elf(5)
_PT_INTERP: Final = 3


@dataclass(slots=True)
class _Root:
    """The names of the customer's ramdisks below ``rootfs``: path → (kind, mode, link's target)."""

    names: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, kind: str, mode: int, target: str) -> None:
        """Take one entry; folders above it that have none of their own are there, too."""
        self.names[path] = (kind, mode, target)
        above = dirname(path)
        while above != "/" and above not in self.names:
            self.names[above] = (FOLDER, 0o755, "")
            above = dirname(above)

    def resolve(self, path: str) -> str | None:
        """Return the path without links, as one below the root; None where it leads nowhere."""
        done, left = "/", [part for part in path.split("/") if part]
        for _ in range(LINKS * 64):
            if not left:
                return done
            part = left.pop(0)
            here = normpath(join(done, part))
            kind, _mode, target = self.names.get(here, ("", 0, ""))
            if kind == "symlink":
                left = [it for it in target.split("/") if it] + left
                done = "/" if target.startswith("/") else done
            elif kind or here == "/":
                done = here
            else:
                return None
        return None


def command_problem(image: Image) -> HostError | None:
    """Return why the command of the image cannot be started, as nitro-cli's E36; None if it can.

    Raises `ImageError` for a ramdisk that cannot be read.
    """
    if len(image.ramdisks) < 2:
        return _unfit("no application ramdisk", "two ramdisks: bootstrap and application")
    root = _read(image)
    command = [line for line in root.texts.get("cmd", "").split("\n") if line]
    if not command:
        return _unfit("no /cmd in the image: nothing to run", "a command: CMD in the Dockerfile")
    pairs = (line.partition("=") for line in root.texts.get("env", "").split("\n"))
    path = {name: value for name, sign, value in pairs if sign}.get("PATH", DEFAULT_PATH)
    return _judge(image, root, command[0], path)


def _read(image: Image) -> _Root:
    root = _Root()
    for index in range(1, len(image.ramdisks)):
        for entry in ramdisk_entries(image, index):
            if entry.path in ("cmd", "env") and entry.kind == "file" and entry.size < TEXT_LIMIT:
                root.texts[entry.path] = b"".join(entry.data()).decode("utf-8", "surrogateescape")
            elif entry.path.startswith(f"{ROOT}/"):
                root.add(entry.path.removeprefix(ROOT), entry.kind, entry.mode, entry.target or "")
    return root


def _judge(image: Image, root: _Root, program: str, path: str) -> HostError | None:
    """Follow the program through its interpreters to something that the kernel can run."""
    wanted, named = program, "the command"
    for _ in range(SHEBANGS):
        place = next((it for it in map(root.resolve, _places(wanted, path)) if it), None)
        if place is None:
            return _unfit(f"{named} {wanted} is not in the image", "a file of its root filesystem")
        kind, mode, _target = root.names[place] if place != "/" else (FOLDER, 0, "")
        if kind != "file":
            return _unfit(f"{named} {wanted} is a {kind}", "a program")
        if not mode & 0o111:
            return _unfit(
                f"{named} {wanted} is not executable (mode {mode & 0o7777:o})", "chmod +x"
            )
        head = _head(image, place)
        if head.startswith(b"\x7fELF"):
            return _judge_elf(root, wanted, head)
        shell = head.split(b"\n", 1)[0][2:].split() if head.startswith(b"#!") else [b"/bin/sh"]
        wanted = (shell or [b"/bin/sh"])[0].decode("utf-8", "surrogateescape")
        named = f"{program}'s interpreter"
    return _unfit(f"{program} is a script of scripts", f"at most {SHEBANGS} interpreters deep")


def _places(name: str, path: str) -> Iterator[str]:
    if "/" in name:
        yield name
        return
    for folder in path.split(":"):
        yield f"{folder or '.'}/{name}"


def _head(image: Image, place: str) -> bytes:
    """Return the first bytes of the file, which may be another name of an earlier one."""
    wanted = ROOT + place
    for index in range(1, len(image.ramdisks)):
        for entry in ramdisk_entries(image, index):
            if entry.path != wanted:
                continue
            if entry.link_of:
                return _head(image, "/" + entry.link_of.removeprefix(ROOT).lstrip("/"))
            return next(entry.data(), b"")[:HEAD]
    return b""


def _judge_elf(root: _Root, name: str, head: bytes) -> HostError | None:
    try:
        machine, interpreter = _elf(head)
    except (struct.error, ValueError):
        return _unfit(f"{name} is a damaged ELF file", "a 64-bit program for Linux")
    ours = host_architecture()
    if _MACHINES.get(machine) != ours:
        other = _MACHINES.get(machine, f"machine {machine}")
        return _unfit(f"{name} is a program for {other}", f"one for {ours}")
    if interpreter and root.resolve(interpreter) is None:
        expected = "a static program, or its loader and libraries in the image"
        return _unfit(f"{name} needs the loader {interpreter}, which is not in the image", expected)
    return None


def _elf(head: bytes) -> tuple[int, str]:
    """Return the machine and the interpreter ("" for a static program) of a 64-bit ELF head."""
    if head[4:6] != b"\x02\x01":  # ELFCLASS64, little-endian
        raise ValueError
    machine = struct.unpack_from("<H", head, 18)[0]
    table, entry_size, count = (
        struct.unpack_from("<Q", head, 32)[0],
        *struct.unpack_from("<HH", head, 54),
    )
    for number in range(count):
        at = table + number * entry_size
        if struct.unpack_from("<I", head, at)[0] == _PT_INTERP:
            offset, size = struct.unpack_from("<Q16xQ", head, at + 8)
            text = head[offset : offset + size]
            return machine, text.split(b"\0", 1)[0].decode("ascii")
    return machine, ""


def _unfit(found: str, expected: str) -> HostError:
    return failure(
        "E36",
        f"Enclave boot failure: {found}",
        expected=expected,
        next="change the image and build it again; `nitro-workflow image describe` lists it",
    )
