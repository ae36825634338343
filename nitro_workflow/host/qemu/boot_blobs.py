"""Boot parts under AWS's names, from a distribution's kernel and an init of our own.

A folder as ``/usr/share/nitro_enclaves/blobs``: ``bzImage``, ``bzImage.config``, ``cmdline``,
``init``, ``nsm.ko``. AWS's kernel has the vsock driver built in; a distribution's has it as
modules, and those are a part of ``init``, so that the first ramdisk is laid out as AWS's. The lock
beside them holds every digest and where each part is from.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import HostError, ImageRefused
from nitro_workflow.image import COMMAND_LINES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOCK", "MadeBlobs", "make_blobs"]

SOURCE: Final = Path(__file__).with_name("enclave_init.c")
LOCK: Final = "blobs.lock.json"
PARTS: Final = ("bzImage", "bzImage.config", "cmdline", "init", "nsm.ko")

# In the order in which each needs those before it.
MODULES: Final = (
    "virtio_mmio",
    "vsock",
    "vmw_vsock_virtio_transport_common",
    "vmw_vsock_virtio_transport",
)
FLAGS: Final = ("-static", "-O2", "-s", "-std=gnu11", "-Wl,--build-id=none", "-Wno-unused-result")
SECONDS: Final = 120.0  # for the compiler


@dataclass(frozen=True, slots=True)
class MadeBlobs:
    """The folder, the digest of each part (SHA-256, hex), and where the parts are from."""

    folder: Path
    digests: Mapping[str, str]
    origin: Mapping[str, Any]
    was_locked: bool


def make_blobs(folder: Path, kernel: Path, origin: Mapping[str, Any]) -> MadeBlobs:
    """Make the parts in ``folder`` from an unpacked kernel package at ``kernel``.

    Where the folder has a lock, the parts must have its digests: else `ImageRefused`, and the
    folder stays as it was. Raises `HostError` for no compiler, or a kernel without the drivers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".blobs.", dir=folder) as draft:
        made = Path(draft)
        _kernel(kernel, made)
        made.joinpath("cmdline").write_bytes(COMMAND_LINES["x86_64"])
        _init(kernel, made)
        digests = {name: _digest(made / name) for name in PARTS}
        locked = _locked(folder)
        if locked is not None and locked != digests:
            raise _changed(folder, locked, digests)
        for name in PARTS:
            (made / name).replace(folder / name)
    whence = {**origin, "compiler": _compiler_version()}
    lock = json.dumps({"sha256": digests, "origin": whence}, indent=2) + "\n"
    write_atomic(folder / LOCK, lock.encode(), failure=HostError)
    return MadeBlobs(folder, digests, whence, locked is not None)


def _kernel(package: Path, made: Path) -> None:
    for name, pattern in (("bzImage", "vmlinuz-*"), ("bzImage.config", "config-*")):
        shutil.copyfile(_only(package / "boot", pattern), made / name)
    (made / "nsm.ko").write_bytes(_module(package, "nsm"))


def _init(package: Path, made: Path) -> None:
    """Compile the init, with the modules in it: the same compiler gives the same bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name in MODULES:
            (work / f"{name}.ko").write_bytes(_module(package, name))
        (work / "modules.S").write_text(_module_table(), "ascii")
        shutil.copyfile(SOURCE, work / "init.c")
        try:
            done = subprocess.run(
                ["cc", *FLAGS, "-o", "init", "init.c", "modules.S"],
                cwd=work, capture_output=True, text=True, check=False, timeout=SECONDS,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise _no_compiler("no cc") from error
        if done.returncode:
            raise _no_compiler(done.stderr.strip().rpartition("\n")[2][:300])
        shutil.copyfile(work / "init", made / "init")


def _module_table() -> str:
    """Return the assembler's text of `embedded_modules`: name, begin and size of each."""
    lines = ['    .section .note.GNU-stack,"",@progbits', "    .section .rodata"]
    for number, name in enumerate(MODULES):
        lines += ["    .balign 16", f"data{number}:", f'    .incbin "{name}.ko"']
        lines += [f"end{number}:", f'name{number}: .asciz "{name}"']
    lines += ['    .section .data.rel.ro,"aw"', "    .balign 8", "    .globl embedded_modules"]
    lines.append("embedded_modules:")
    lines += [f"    .quad name{n}, data{n}, end{n} - data{n}" for n in range(len(MODULES))]
    return "\n".join([*lines, "    .quad 0, 0, 0", ""])


def _module(package: Path, name: str) -> bytes:
    path = _only(package, f"**/kernel/**/{name}.ko*")
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) == 1:
        return found[0]
    raise HostError(
        f"{len(found)} files {pattern}",
        expected="one, of a kernel from Linux 6.8 on with the vsock and the nsm driver as modules",
        where=str(folder),
        next="take Debian's linux-image-cloud-amd64",
    )


def _locked(folder: Path) -> dict[str, str] | None:
    path = folder / LOCK
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_bytes())["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(
            "not a lock of boot parts",
            expected="the file that `image blobs` wrote",
            where=str(path),
            next="remove the folder, and make it again",
        ) from error


def _changed(folder: Path, locked: Mapping[str, str], made: Mapping[str, str]) -> ImageRefused:
    names = [name for name in PARTS if locked.get(name) != made[name]]
    return ImageRefused(
        f"another {', '.join(names)}",
        expected=f"the digests of {LOCK}: images built with these parts measure to the same",
        where=str(folder),
        next="another kernel or compiler gives other PCRs: make them in a new folder",
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compiler_version() -> str:
    done = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _no_compiler(found: str) -> HostError:
    return HostError(
        found,
        expected="a C compiler with a static C library",
        where="boot parts",
        next="install one: `apt-get install gcc libc6-dev` on Debian",
    )
